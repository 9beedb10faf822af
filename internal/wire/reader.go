package wire

import "encoding/binary"

// Reader takes fields off the front of a byte slice. The first failure sticks:
// later calls return zero values, and Err tells what went wrong and where.
// The zero Reader is an empty input. A Reader is for one goroutine.
type Reader struct {
	b     []byte
	off   int
	base  int
	inner bool
	err   *FormatError
}

// NewReader reads b; base is the offset of b[0] in the whole input and is
// added to the offsets in errors.
func NewReader(b []byte, base int) Reader { return Reader{b: b, base: base} }

// NewInner is [NewReader] for bytes that are all there because an outer length
// said how many they are. A field that they have no room for fails with
// LengthMismatch at its beginning, where NewReader says Truncated at the end of
// the input.
func NewInner(b []byte, base int) Reader { return Reader{b: b, base: base, inner: true} }

// Err returns the first failure, or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Offset is the position of the next unread byte in the whole input.
func (r *Reader) Offset() int { return r.base + r.off }

// Left is the number of unread bytes.
func (r *Reader) Left() int { return len(r.b) - r.off }

// Fail records a violation found by the caller at offset at of the whole input.
func (r *Reader) Fail(reason Reason, at int) {
	if r.err == nil {
		r.err = &FormatError{Reason: reason, Offset: at}
	}
}

// Bytes takes n bytes. The result aliases the input.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > r.Left() {
		r.short()
		return nil
	}
	p := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return p
}

// short records that the next field does not fit into what is left.
func (r *Reader) short() {
	if r.inner {
		r.Fail(LengthMismatch, r.Offset())
		return
	}
	r.Fail(Truncated, r.base+len(r.b))
}

// Uint8 takes one byte.
func (r *Reader) Uint8() uint8 {
	if p := r.Bytes(1); p != nil {
		return p[0]
	}
	return 0
}

// Uint32 takes four bytes.
func (r *Reader) Uint32() uint32 {
	if p := r.Bytes(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// Uint64 takes eight bytes.
func (r *Reader) Uint64() uint64 {
	if p := r.Bytes(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

// Int32 takes a signed 32-bit number.
func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

// Int64 takes a signed 64-bit number.
func (r *Reader) Int64() int64 { return int64(r.Uint64()) }

// Uvarint takes a number as [encoding/binary.AppendUvarint] writes it. More bytes than the
// number needs, or more than 64 bits, are not canonical.
func (r *Reader) Uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.off:])
	switch {
	case n == 0:
		r.short()
		return 0
	case n < 0, n > 1 && r.b[r.off+n-1] == 0:
		r.Fail(NotCanonical, r.Offset())
		return 0
	}
	r.off += n
	return v
}

// Sized takes a signed 32-bit length and as many bytes. A negative length, or
// one past the end of the input, fails at the offset of the length field.
func (r *Reader) Sized() []byte {
	at := r.Offset()
	n := r.Int32()
	if r.err != nil {
		return nil
	}
	if n < 0 {
		r.Fail(BadLength, at)
		return nil
	}
	if int(n) > r.Left() {
		r.Fail(LengthPastEnd, at)
		return nil
	}
	return r.Bytes(int(n))
}

// Magic takes len(want) bytes and fails with reason at their offset if they
// differ from want, also if only the beginning of them is there and differs.
func (r *Reader) Magic(want string, reason Reason) {
	if r.err != nil {
		return
	}
	have := r.b[r.off:min(r.off+len(want), len(r.b))]
	switch {
	case string(have) != want[:len(have)]:
		r.Fail(reason, r.Offset())
	case len(have) < len(want):
		r.short()
	default:
		r.off += len(want)
	}
}
