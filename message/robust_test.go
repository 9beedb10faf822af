package message

import (
	"testing"

	"github.com/gotribes/tribes/internal/golden"
)

// everyVector is each frame of the vectors, streams and acks too, and numbered
// acks of ours.
func everyVector(t *testing.T) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, file := range []string{"frames.json", "mcast.json", "acks.json"} {
		for _, v := range golden.Read[vector](t, file) {
			all[v.Name] = v.Hex
		}
	}
	for _, v := range golden.Read[vector](t, "streams.json") {
		for _, read := range v.Output {
			all[v.Name] = append(all[v.Name], read.Chunk...)
		}
	}
	if len(all) != 9+4+2+7 {
		t.Fatalf("there are %d vectors, want 22", len(all))
	}
	for name, r := range numberedAcks {
		all["numbered "+name] = AppendNumberedAck(nil, r.Caps, r.UpTo, r.Settled)
	}
	return all
}

func TestTruncatedAnywhere(t *testing.T) {
	for name, b := range everyVector(t) {
		t.Run(name, func(t *testing.T) {
			for n := range b {
				part := b[:n:n]
				checkFrame(t, part)
				checkReply(t, part)
			}
			data, _, err := Scan(b, 0)
			if err != nil {
				return // a member image among the datagrams
			}
			for n := range data {
				part := data[:n:n]
				if _, err := ParseFrame(part); err == nil {
					t.Fatalf("ParseFrame of %d of %d bytes = nil, want an error", n, len(data))
				}
				checkData(t, part)
				checkReply(t, part)
			}
		})
	}
}

func TestBitFlips(t *testing.T) {
	for name, b := range everyVector(t) {
		t.Run(name, func(t *testing.T) {
			for bit := range 8 * len(b) {
				c := append([]byte(nil), b...)
				c[bit/8] ^= 1 << (bit % 8)
				checkFrame(t, c)
				if data, _, err := Scan(c, 0); err == nil && data != nil {
					checkReply(t, data)
				}
			}
		})
	}
}

// Where a stream is cut must not matter: what is read of it, the reason to close
// it, and the byte at which that is noticed.
func TestScanInCuts(t *testing.T) {
	stream := append(newFrame(t), AckFrame...)
	stream = append(append(stream, newFrame(t)...), "garbage"...)
	for cut := 1; cut < len(stream); cut++ {
		checkCuts(t, stream, []byte{byte(cut)})
	}
	for first := 1; first < len(stream); first++ {
		checkCuts(t, stream, []byte{byte(first), 1, 2, 3})
	}
}
