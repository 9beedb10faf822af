//go:build !race

package interceptor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// sendingTo is sending where members have told of themselves.
func sendingTo(tb testing.TB, c *Compress, to []*membership.Member, payload []byte) func() {
	h := knownTo(tb, c, interceptortest.Config{})
	h.Bottom.Use(takesAll)
	r := message.NewReceipt(0, nil)
	return func() {
		r.Reset(len(to), nil)
		m := h.Message(payload, message.Sync)
		if err := h.SendMessage(tb.Context(), to, m, r); err != nil {
			tb.Fatal(err)
		}
		m.Release()
		<-r.Done()
	}
}

// jsonText looks like the messages of applications.
func jsonText(size int) []byte {
	var b []byte
	for i := 0; len(b) < size; i++ {
		b = fmt.Appendf(b, `{"user":"u%05d","cart":[{"sku":%d,"count":%d}],"seen":"2026-11-27T08:%02d:%02dZ"},`, i*7919%100000, i*104729%1000000, i%5, i%60, i*37%60)
	}
	return b[:size]
}

func TestCompressAllocatesNothing(t *testing.T) {
	able, mixed, others := interceptortest.Members(2, 3), interceptortest.Members(2, 6), interceptortest.Members(4, 6)
	text := jsonText(10_000)
	for _, codec := range bothCodecs {
		packed, option := zstdFrame(t, text, zstd.WithSingleSegment(true)), message.Zstd
		if codec == S2 {
			packed, option = s2.Encode(nil, text), message.S2
		}
		for _, tt := range []struct {
			name string
			f    func()
		}{
			{"sends to those that are able", sendingTo(t, &Compress{Codec: codec}, able, text)},
			{"sends to both kinds", sendingTo(t, &Compress{Codec: codec}, mixed, text)},
			{"sends to the others", sendingTo(t, &Compress{Codec: codec}, others, text)},
			{"sends noise", sendingTo(t, &Compress{Codec: codec}, able, noise(4000))},
			{"sends a short message", sendingTo(t, &Compress{Codec: codec}, able, text[:50])},
			{"receives", receiving(t, new(Compress), packed, option, false)},
			{"receives plain text", receiving(t, new(Compress), text, 0, false)},
		} {
			t.Run(codec.String()+" "+tt.name, func(t *testing.T) {
				for range 200 {
					tt.f()
				}
				if got := testing.AllocsPerRun(1000, tt.f); got != 0 {
					t.Errorf("%v allocations, want 0", got)
				}
			})
		}
	}
}

// A bomb costs no more memory than it may expand to, and a lie about the length
// nothing.
func TestCompressMemoryIsBounded(t *testing.T) {
	const limit = 8 << 20
	zeros := make([]byte, 4*limit)
	single := zstd.WithSingleSegment(true)
	frame := zstdFrame(t, zeros, single)
	wide := []byte("\x28\xb5\x2f\xfd\x84\xb8\x01\x00\x00\x00\x01\x00\x00") // a window of 8 GiB
	tests := []struct {
		name  string
		bytes []byte
		o     message.Options
		most  uint64
	}{
		{"bomb", frame, message.Zstd, 64 << 10},
		{"bomb, s2", s2.EncodeBest(nil, zeros), message.S2, 64 << 10},
		{"a lie", append(binary.AppendUvarint(nil, compressFree), 1), message.S2, 2 * compressFree},
		{"a wide window", wide, message.Zstd, 64 << 10},
		{"a small bomb, cut off", zstdFrame(t, zeros[:compressFree], single)[:20], message.Zstd, 2 * compressFree},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := knownTo(t, &Compress{MaxSize: limit}, interceptortest.Config{})
			arrive := func() {
				if err := h.Arrive(interceptortest.Member(2), tt.bytes, tt.o); err == nil {
					t.Error("Receive = nil, want an error")
				}
			}
			arrive()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			arrive()
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > tt.most {
				t.Errorf("%d bytes took %d bytes of memory, want at most %d", len(tt.bytes), got, tt.most)
			}
		})
	}
}

func BenchmarkCompress(b *testing.B) {
	able, mixed := interceptortest.Members(2, 2), interceptortest.Members(3, 4)
	for _, size := range []int{300, 1000, 10_000, 100_000} {
		text := jsonText(size)
		for _, codec := range bothCodecs {
			for level := 1; level <= 3; level++ {
				c := &Compress{Codec: codec, Level: level}
				f := sendingTo(b, c, able, text)
				b.Run(fmt.Sprintf("%s-%d/send/%d", codec, level, size), func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(int64(size))
					for b.Loop() {
						f()
					}
					b.ReportMetric(c.Stats().Sent.Ratio(), "ratio")
				})
			}
			packed, option := zstdFrame(b, text, zstd.WithSingleSegment(true)), message.Zstd
			if codec == S2 {
				packed, option = s2.Encode(nil, text), message.S2
			}
			for name, f := range map[string]func(){
				"receive":   receiving(b, new(Compress), packed, option, false),
				"sendmixed": sendingTo(b, &Compress{Codec: codec}, mixed, text),
			} {
				b.Run(fmt.Sprintf("%s/%s/%d", codec, name, size), func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(int64(size))
					for b.Loop() {
						f()
					}
				})
			}
		}
		g := new(Gzip)
		f := sending(b, g, able, text)
		b.Run(fmt.Sprintf("gzip/send/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				f()
			}
			b.ReportMetric(g.Stats().Sent.Ratio(), "ratio")
		})
		f = receiving(b, new(Gzip), members(b, bytes.Clone(text)), message.Gzip, false)
		b.Run(fmt.Sprintf("gzip/receive/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				f()
			}
		})
	}
}
