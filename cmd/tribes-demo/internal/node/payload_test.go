package node

import (
	"bytes"
	"strings"
	"testing"
)

func TestPayloadIsThatOfTheContract(t *testing.T) {
	got := appendPayload(nil, "s", 1, 16)
	// The filler of message 1 was computed by hand from the generator's definition.
	x := uint64(0x9E3779B97F4A7C15 + 1)
	want := []byte("R1 s 1 16\n")
	for len(want) < 16 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		want = append(want, byte(x))
	}
	if !bytes.Equal(got, want) {
		t.Errorf("payload %x, want %x", got, want)
	}
	if got := appendPayload(nil, "s", 1, 0); string(got) != "R1 s 1 0\n" {
		t.Errorf("payload of length 0 is %q, want the header alone", got)
	}
}

func TestParsePayload(t *testing.T) {
	good := appendPayload(nil, "s", 7, 100)
	damaged := bytes.Clone(good)
	damaged[50] ^= 1
	tests := []struct {
		name string
		in   []byte
		odd  string // part of what is wrong, empty for nothing
	}{
		{"good", good, ""},
		{"header alone", appendPayload(nil, "s", 7, 0), ""},
		{"damaged", damaged, "damaged at byte 50"},
		{"too short", good[:99], "99 bytes where the header says 100"},
		{"too long", append(bytes.Clone(good), 0), "101 bytes"},
		{"no header", []byte("hello"), "no header"},
		{"empty", nil, "no header"},
		{"other words", []byte("R2 s 7 9\n"), "no header"},
		{"bad number", []byte("R1 s x 9\n"), "bad header"},
		{"negative length", []byte("R1 s 1 -9\n"), "bad header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, what := parsePayload(tt.in)
			if (what == "") != (tt.odd == "") || !strings.Contains(what, tt.odd) {
				t.Fatalf("parsePayload: %q, want %q", what, tt.odd)
			}
			if what == "" && (h.stream != "s" || h.seq != 7) {
				t.Errorf("header %+v, want stream s and number 7", h)
			}
		})
	}
}

func TestModes(t *testing.T) {
	tests := []struct {
		word string
		want uint32
	}{
		{"none", 0x01}, {"ack", 0x03}, {"sync", 0x07}, {"async", 0x09}, {"asyncack", 0x0b},
		{"asyncsync", 0x0f}, {"udpmcast", 0x41}, {"35", 35},
	}
	for _, tt := range tests {
		if got, err := parseMode(tt.word); err != nil || uint32(got) != tt.want {
			t.Errorf("parseMode(%q) = %#x, %v, want %#x", tt.word, uint32(got), err, tt.want)
		}
	}
	if _, err := parseMode("loud"); err == nil {
		t.Error("parseMode(loud): no error")
	}
}

func TestStreamsCount(t *testing.T) {
	var s streams
	for _, seq := range []uint64{1, 2, 5, 3, 3, 64, 1} {
		s.note("a:1", "x", seq)
	}
	s.note("b:1", "x", 9)
	got := s.snapshot()
	want := streamStats{Count: 7, Distinct: 5, Dup: 2, Late: 1, Max: 64}
	if got["a:1 x"] != want || got["b:1 x"] != (streamStats{Count: 1, Distinct: 1, Max: 9}) {
		t.Errorf("streams %+v, want %+v for a:1 x", got, want)
	}
}
