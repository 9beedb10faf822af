package interceptor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/gotribes/tribes/message"
)

// compressor makes gzip members. It is for one goroutine at a time.
type compressor struct {
	w   *gzip.Writer
	out sink
}

func newCompressor(level int) *compressor {
	w, err := gzip.NewWriterLevel(nil, level)
	if err != nil {
		panic("tribes: gzip: a level that was checked: " + err.Error())
	}
	return &compressor{w: w}
}

// compress writes the gzip member of src to dst and returns its length; ok is
// false if it does not fit.
func (c *compressor) compress(dst, src []byte) (n int, ok bool) {
	c.out.b = dst[:0:len(dst)]
	c.w.Reset(&c.out)
	_, err := c.w.Write(src)
	if err == nil {
		err = c.w.Close()
	}
	n = len(c.out.b)
	c.out.b = nil
	return n, err == nil
}

// sink takes bytes as long as there is room.
type sink struct{ b []byte }

var errNoRoom = errors.New("no room")

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	if len(p) > cap(s.b)-len(s.b) {
		return 0, errNoRoom
	}
	s.b = append(s.b, p...)
	return len(p), nil
}

// Why a received message is not inflated.
var (
	errInflatesTooFar = errors.New("it inflates to more than is allowed")
	errBehindMember   = errors.New("there are bytes behind the gzip member")
)

// reasonOf is a short form of an error of inflating, for labels.
func reasonOf(err error) string {
	switch err {
	case errInflatesTooFar:
		return "inflates too far"
	case errBehindMember:
		return "bytes behind gzip"
	}
	return "bad gzip"
}

// inflater reads gzip members. It is for one goroutine at a time.
type inflater struct {
	z    gzip.Reader
	src  bytes.Reader
	next [1]byte
}

const (
	leastMember = 18 // bytes of a gzip member: head and tail
	growth      = 4  // of a buffer that was too small
	guessRatio  = 16 // how far the claim of a member is believed
)

// inflate returns the content of the gzip member src, n bytes in a buffer of
// the pool with one reference, if it is at most limit bytes.
//
// How long it will be is not known. The last four bytes of a member claim it;
// that is where the search begins, but not beyond 16 times what has arrived. A
// buffer that turns out too small is given back before the next one is taken,
// and the work begins anew: that costs time, for members with an extreme ratio
// or a wrong claim, but never more memory than the result.
func (c *inflater) inflate(pool *message.Pool, src []byte, limit int) (out *message.Buffer, n int, err error) {
	if len(src) < leastMember {
		return nil, 0, io.ErrUnexpectedEOF
	}
	claim := int(min(binary.LittleEndian.Uint32(src[len(src)-4:]), 1<<30))
	defer c.src.Reset(nil)
	for size := min(max(claim, 1), len(src)*guessRatio, limit); ; size = larger(size, limit) {
		out = pool.Get(size)
		n, err = c.fill(out.Bytes(), src)
		if err == nil {
			return out, n, nil
		}
		out.Release()
		if err != errInflatesTooFar || size == limit {
			return nil, 0, err
		}
	}
}

// larger is the size to try after size; what is near limit is limit.
func larger(size, limit int) int {
	if size > limit/(2*growth) {
		return limit
	}
	return size * growth
}

// fill inflates src into dst. The error is errInflatesTooFar if dst is too
// small.
func (c *inflater) fill(dst, src []byte) (n int, err error) {
	c.src.Reset(src)
	if err := c.z.Reset(&c.src); err != nil {
		return 0, err
	}
	c.z.Multistream(false)
	for n < len(dst) && err == nil {
		var k int
		k, err = c.z.Read(dst[n:])
		n += k
	}
	if err == nil {
		var k int
		if k, err = c.z.Read(c.next[:]); k > 0 {
			return 0, errInflatesTooFar
		}
	}
	switch {
	case err != io.EOF:
		return 0, err
	case c.src.Len() > 0:
		return 0, errBehindMember
	}
	return n, nil
}
