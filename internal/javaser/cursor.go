package javaser

import (
	"encoding/binary"
	"fmt"
)

// cursor reads numbers and byte strings from an input, and never beyond it.
type cursor struct {
	b   []byte
	pos int
}

// left returns the number of bytes not yet read.
func (c *cursor) left() int { return len(c.b) - c.pos }

// fail returns an error about the item at the given offset.
func (c *cursor) fail(at int, format string, args ...any) error {
	return &FormatError{Offset: at, Reason: fmt.Sprintf(format, args...)}
}

// short returns the error for an input that ends inside of an item.
func (c *cursor) short(what string) error {
	return c.fail(len(c.b), "ends inside %s", what)
}

// take returns the next n bytes, which alias the input. Their capacity ends
// with them, so that appending to them never writes into the input.
func (c *cursor) take(n int, what string) ([]byte, error) {
	if n > c.left() {
		return nil, c.short(what)
	}
	p := c.b[c.pos : c.pos+n : c.pos+n]
	c.pos += n
	return p, nil
}

// peek returns the next byte without moving on.
func (c *cursor) peek(what string) (byte, error) {
	if c.left() == 0 {
		return 0, c.short(what)
	}
	return c.b[c.pos], nil
}

func (c *cursor) u8(what string) (byte, error) {
	p, err := c.take(1, what)
	if err != nil {
		return 0, err
	}
	return p[0], nil
}

func (c *cursor) u16(what string) (uint16, error) {
	p, err := c.take(2, what)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(p), nil
}

func (c *cursor) u32(what string) (uint32, error) {
	p, err := c.take(4, what)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(p), nil
}

func (c *cursor) u64(what string) (uint64, error) {
	p, err := c.take(8, what)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(p), nil
}

// length reads an i32 that announces how many units of the given size (at
// least one byte each) follow. What the rest of the input cannot hold is an
// error here, before anything is allocated for it.
func (c *cursor) length(size int, what string) (int, error) {
	at := c.pos
	p, err := c.take(4, "")
	if err != nil {
		return 0, c.short("the length of " + what) // made here, as it costs
	}
	n := int32(binary.BigEndian.Uint32(p))
	if n < 0 {
		return 0, c.fail(at, "negative length %d of %s", n, what)
	}
	if int64(n)*int64(size) > int64(c.left()) {
		return 0, c.short(what)
	}
	return int(n), nil
}

// bytes reads an i32 length and that many bytes, which alias the input.
func (c *cursor) bytes(what string) ([]byte, error) {
	n, err := c.length(1, what)
	if err != nil {
		return nil, err
	}
	return c.take(n, what)
}

// utf reads a u16 length and that much modified UTF-8.
func (c *cursor) utf(what string) ([]byte, error) {
	p, err := c.take(2, "")
	if err != nil {
		return nil, c.short("the length of " + what)
	}
	return c.text(int(binary.BigEndian.Uint16(p)), what)
}

// text reads n bytes of modified UTF-8.
func (c *cursor) text(n int, what string) ([]byte, error) {
	at := c.pos
	p, err := c.take(n, what)
	if err != nil {
		return nil, err
	}
	if !validModified(p) {
		return nil, c.fail(at, "%s is not modified UTF-8", what)
	}
	return p, nil
}
