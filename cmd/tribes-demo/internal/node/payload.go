package node

import (
	"bytes"
	"fmt"
	"strconv"
)

// A message is the line "R1 STREAM SEQ LEN\n" and filler up to LEN bytes.

// appendPayload appends message seq of a stream. A length below that of the
// header line gives the header line alone.
func appendPayload(b []byte, stream string, seq uint64, length int) []byte {
	at := len(b)
	b = fmt.Appendf(b, "R1 %s %d %d\n", stream, seq, length)
	f := newFiller(seq)
	for len(b)-at < length {
		b = append(b, f.next())
	}
	return b
}

// filler is a xorshift generator whose low bytes fill a message.
type filler uint64

func newFiller(seq uint64) filler { return filler(seq*0x9E3779B97F4A7C15 + 1) }

func (f *filler) next() byte {
	x := *f
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*f = x
	return byte(x)
}

// header is the first line of a message.
type header struct {
	stream string
	seq    uint64
	length int
}

// parsePayload checks a message down to its last byte; what says what is wrong.
func parsePayload(b []byte) (h header, what string) {
	line, _, ok := bytes.Cut(b[:min(len(b), 512)], []byte("\n"))
	parts := bytes.Fields(line)
	if !ok || len(parts) != 4 || string(parts[0]) != "R1" {
		return header{}, fmt.Sprintf("no header in %d bytes", len(b))
	}
	seq, err1 := strconv.ParseUint(string(parts[2]), 10, 64)
	length, err2 := strconv.Atoi(string(parts[3]))
	if err1 != nil || err2 != nil || length < 0 {
		return header{}, fmt.Sprintf("bad header %q", line)
	}
	h = header{string(parts[1]), seq, length}
	if want := max(length, len(line)+1); len(b) != want {
		return header{}, fmt.Sprintf("%d bytes where the header says %d", len(b), length)
	}
	rest := b[len(line)+1:]
	f := newFiller(seq)
	for i := range rest {
		if rest[i] != f.next() {
			return header{}, fmt.Sprintf("damaged at byte %d", len(line)+1+i)
		}
	}
	return h, ""
}
