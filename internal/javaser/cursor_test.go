package javaser

import (
	"testing"
)

// TestCursorReads: each read takes what it says, moves on by that, and names
// the end of the input if there is too little.
func TestCursorReads(t *testing.T) {
	in := "0003616263ffffffffffffffff"
	tests := []struct {
		name string
		need int
		read func(c *cursor) (any, error)
		want any
	}{
		{"u8", 1, func(c *cursor) (any, error) { return c.u8("it") }, byte(0)},
		{"u16", 2, func(c *cursor) (any, error) { return c.u16("it") }, uint16(3)},
		{"u32", 4, func(c *cursor) (any, error) { return c.u32("it") }, uint32(0x00036162)},
		{"u64", 8, func(c *cursor) (any, error) { return c.u64("it") }, uint64(0x0003616263ffffff)},
		{"utf", 5, func(c *cursor) (any, error) { p, err := c.utf("it"); return string(p), err }, "abc"},
		{"take", 4, func(c *cursor) (any, error) { p, err := c.take(4, "it"); return string(p), err }, "\x00\x03ab"},
		{"take nothing", 0, func(c *cursor) (any, error) { p, err := c.take(0, "it"); return p != nil, err }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, in)
			c := &cursor{b: b[:tt.need]}
			got, err := tt.read(c)
			if err != nil || got != tt.want {
				t.Errorf("read = %v, %v, want %v", got, err, tt.want)
			}
			if c.left() != 0 {
				t.Errorf("%d bytes left, want 0", c.left())
			}
			if tt.need == 0 {
				return
			}
			_, err = tt.read(&cursor{b: b[:tt.need-1]})
			checkFormatError(t, err, tt.need-1, "it")
		})
	}
}

func TestCursorLength(t *testing.T) {
	tests := []struct {
		name   string
		in     string
		size   int
		want   int
		reason string // "" for none
		offset int
	}{
		{"none", "00000000", 1, 0, "", 0},
		{"just", "0000000261" + "62", 1, 2, "", 0},
		{"one too many", "0000000361" + "62", 1, 0, "ends inside it", 6},
		{"just, of four", "00000001" + "00000000", 4, 1, "", 0},
		{"one too many, of four", "00000002" + "00000000000000", 4, 0, "ends inside it", 11},
		{"largest", "7fffffff" + "00", 8, 0, "ends inside it", 5},
		{"negative", "80000000" + "00", 1, 0, "negative length -2147483648 of it", 0},
		{"cut", "000000", 1, 0, "ends inside the length of it", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &cursor{b: unhex(t, tt.in)}
			got, err := c.length(tt.size, "it")
			if tt.reason != "" {
				checkFormatError(t, err, tt.offset, tt.reason)
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("length = %d, %v, want %d", got, err, tt.want)
			}
		})
	}
}

func TestCursorPeek(t *testing.T) {
	c := &cursor{b: []byte{7}}
	for range 2 {
		if got, err := c.peek("it"); err != nil || got != 7 {
			t.Errorf("peek = %d, %v, want 7", got, err)
		}
	}
	_, err := (&cursor{}).peek("it")
	checkFormatError(t, err, 0, "ends inside it")
}
