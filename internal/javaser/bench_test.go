package javaser

import (
	"fmt"
	"testing"
)

func BenchmarkRPCBytes(b *testing.B) {
	for _, size := range []int{16, 1024, 64 << 10} {
		payload := make([]byte, size)
		raw := AppendRPCBytes(nil, true, testUUID, testID, payload)
		b.Run(fmt.Sprintf("append/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			dst := make([]byte, 0, len(raw))
			for b.Loop() {
				dst = AppendRPCBytes(dst[:0], true, testUUID, testID, payload)
			}
		})
		b.Run(fmt.Sprintf("decode/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRPC(raw, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTree is the long way: the largest vector, as a tree and back.
func BenchmarkTree(b *testing.B) {
	raw := named(b, "obj-rpc-map-state-copy-reply").raw
	tree := mustDecode(b, raw)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		dst := make([]byte, 0, len(raw))
		for b.Loop() {
			if _, err := Append(dst[:0], tree); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if _, err := Decode(raw, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
