package web

import (
	"bytes"
	"errors"
	"fmt"
)

// head is what matters of a reply's head.
type head struct {
	status  int
	length  int // -1: chunked
	closing bool
}

// readHead reads the status line and the header. A new cookie replaces *cookie.
func (c *Conn) readHead(cookie *string) (head, error) {
	h := head{length: -2}
	line, err := c.line()
	if err != nil {
		return h, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return h, fmt.Errorf("not a status line: %.40q", line)
	}
	if h.status, err = decimal(line[9:12]); err != nil {
		return h, err
	}
	for {
		line, err := c.line()
		if err != nil {
			return h, err
		}
		if len(line) == 0 {
			break
		}
		if err := h.field(line, cookie); err != nil {
			return h, err
		}
	}
	if h.length == -2 {
		return h, errors.New("reply with neither Content-Length nor chunks")
	}
	return h, nil
}

func (h *head) field(line []byte, cookie *string) (err error) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return fmt.Errorf("not a header field: %.40q", line)
	}
	name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
	switch {
	case equal(name, "content-length"):
		h.length, err = decimal(value)
	case equal(name, "transfer-encoding"):
		h.length = -1
	case equal(name, "connection"):
		h.closing = equal(value, "close")
	case equal(name, "set-cookie") && cookie != nil:
		if semi := bytes.IndexByte(value, ';'); semi >= 0 {
			value = value[:semi]
		}
		if string(value) != *cookie {
			*cookie = string(value)
		}
	}
	return err
}

// equal compares without regard to case; the second is in lower case.
func equal(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// decimal reads a number of one to nine digits.
func decimal(b []byte) (int, error) {
	if len(b) == 0 || len(b) > 9 {
		return 0, fmt.Errorf("not a number: %.20q", b)
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("not a number: %q", b)
		}
		n = n*10 + int(c-'0')
	}
	return n, nil
}

// chunkSize reads the first line of a chunk.
func chunkSize(line []byte) (int, error) {
	if semi := bytes.IndexByte(line, ';'); semi >= 0 {
		line = line[:semi]
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 || len(line) > 7 {
		return 0, fmt.Errorf("not the size of a chunk: %.20q", line)
	}
	n := 0
	for _, c := range line {
		d := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if c <= '9' {
			d = int(c) - '0'
		}
		if d < 0 || d > 15 {
			return 0, fmt.Errorf("not the size of a chunk: %q", line)
		}
		n = n<<4 | d
	}
	return n, nil
}
