package message

import (
	"errors"
	"testing"

	"github.com/gotribes/tribes/internal/golden"
)

// result is what comes out of a stream.
type result struct {
	frames []string
	err    FormatError // zero if the stream can be read on
	at     int         // where the frame that is wrong begins, or the incomplete one
}

// read takes frames from a stream that comes in reads of the given sizes, used
// again and again; 0 counts as 256.
func read(t *testing.T, stream, cuts []byte) (r result) {
	t.Helper()
	const limit = 1 << 16
	end := 0
	for i := 0; ; i++ {
		for {
			data, size, err := Scan(stream[r.at:end:end], limit)
			var fe *FormatError
			if errors.As(err, &fe) {
				r.err = *fe
				return r
			}
			if size > limit {
				t.Fatalf("Scan() size = %d, above the limit %d", size, limit)
			}
			if data == nil {
				break
			}
			r.frames = append(r.frames, string(data))
			r.at += size
		}
		if end == len(stream) {
			return r
		}
		step := int(cuts[i%len(cuts)])
		if step == 0 {
			step = 256
		}
		end = min(end+step, len(stream))
	}
}

// checkCuts compares the stream in cuts with the stream in one piece and with
// the stream byte by byte.
func checkCuts(t *testing.T, stream, cuts []byte) {
	t.Helper()
	bytewise := read(t, stream, []byte{1})
	for name, got := range map[string]result{"in cuts": read(t, stream, cuts), "in pieces of 256": read(t, stream, []byte{0})} {
		if len(got.frames) != len(bytewise.frames) || got.err != bytewise.err || got.at != bytewise.at {
			t.Fatalf("%s: %d frames, %v at %d; byte by byte: %d frames, %v at %d; stream %x, cuts %v",
				name, len(got.frames), &got.err, got.at, len(bytewise.frames), &bytewise.err, bytewise.at, stream, cuts)
		}
		for i := range got.frames {
			if got.frames[i] != bytewise.frames[i] {
				t.Fatalf("%s: frame %d = %x, want %x", name, i, got.frames[i], bytewise.frames[i])
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, v := range golden.Read[vector](f, "streams.json") {
		var stream, cuts []byte
		for _, chunk := range v.Output {
			stream = append(stream, chunk.Chunk...)
			cuts = append(cuts, byte(len(chunk.Chunk)))
		}
		f.Add(stream, cuts)
	}
	for _, v := range golden.Read[vector](f, "acks.json") {
		f.Add([]byte(v.Hex), []byte{7, 4, 3})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		if len(cuts) == 0 {
			cuts = []byte{1}
		}
		checkCuts(t, stream, cuts)
	})
}

func FuzzParseFrame(f *testing.F) {
	for _, v := range frameVectors(f) {
		data, _, err := Scan(v.Hex, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(checkData)
}

func FuzzParseReply(f *testing.F) {
	f.Add([]byte(ackData))
	f.Add([]byte(failAckData))
	for _, r := range numberedAcks {
		data, _, err := Scan(AppendNumberedAck(nil, r.Caps, r.UpTo, r.Settled), 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(checkReply)
}
