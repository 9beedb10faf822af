package javaser

import (
	"encoding/binary"
	"math"
)

// Append writes a stream that holds exactly one object and returns the extended
// dst. It borrows v for the call. What occurs twice in v by pointer is written
// once and referred to, as Java does, so a tree that Decode made of a stream
// that Java wrote gives that stream again, byte for byte.
//
// The only errors are of type *ValueError, for trees that have no form in the
// stream; then the result is dst as it was. Append keeps no state and is safe
// for concurrent use.
func Append(dst []byte, v Value) ([]byte, error) {
	e := newEncoder(dst)
	if err := e.object(v); err != nil {
		return dst, err
	}
	return e.buf, nil
}

// AppendStream writes a stream that holds all of list, in which Blocks may
// stand besides objects: the inverse of DecodeStream. All that is said about
// Append holds.
func AppendStream(dst []byte, list []Value) ([]byte, error) {
	e := newEncoder(dst)
	if err := e.contents(list); err != nil {
		return dst, err
	}
	return e.buf, nil
}

// encoder writes one stream. Its methods return *ValueError only.
type encoder struct {
	buf     []byte
	depth   int
	next    uint32           // the next handle
	handles map[Value]uint32 // pointers only, other values cannot all be keys
}

func newEncoder(dst []byte) *encoder {
	return &encoder{
		buf:     append(dst, streamHeader...),
		next:    baseHandle,
		handles: make(map[Value]uint32),
	}
}

// typed is a Value that stands for an object of a known class.
type typed interface {
	Value
	tree() (*Object, error)
}

// object writes v where an object is due.
func (e *encoder) object(v Value) error {
	if e.depth >= MaxDepth {
		return valueErrorf("more than %d levels", MaxDepth)
	}
	e.depth++
	defer func() { e.depth-- }()
	if v == nil {
		e.buf = append(e.buf, tagNull)
		return nil
	}
	switch v := v.(type) {
	case *String, *Object, *Array, *Enum, *Class, *ClassLiteral, typed:
		if h, ok := e.handles[v]; ok {
			e.buf = append(e.buf, tagReference)
			e.buf = binary.BigEndian.AppendUint32(e.buf, h)
			return nil
		}
		return e.first(v)
	}
	return valueErrorf("%T where an object is due", v)
}

// first writes an object that has no handle yet.
func (e *encoder) first(v Value) error {
	switch v := v.(type) {
	case *String:
		return e.str(v)
	case *Object:
		return e.instance(v)
	case *Array:
		return e.array(v)
	case *Enum:
		return e.enum(v)
	case *Class:
		return e.class(v)
	case *ClassLiteral:
		return e.literal(v)
	}
	return e.typed(v.(typed))
}

// assign gives v the next handle.
func (e *encoder) assign(v Value) {
	e.handles[v] = e.next
	e.next++
}

// typed writes the object that v stands for and gives v the same handle.
func (e *encoder) typed(v typed) error {
	o, err := v.tree()
	if err != nil {
		return err
	}
	if err := e.instance(o); err != nil {
		return err
	}
	e.handles[v] = e.handles[o]
	return nil
}

func (e *encoder) str(s *String) error {
	e.assign(s)
	n := len(s.modified)
	if n > math.MaxUint16 {
		e.buf = append(e.buf, tagLongString)
		e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(n))
	} else {
		e.buf = append(e.buf, tagString)
		e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(n))
	}
	e.buf = append(e.buf, s.modified...)
	return nil
}

func (e *encoder) literal(l *ClassLiteral) error {
	e.buf = append(e.buf, tagClass)
	if err := e.classOf("class literal", l.Class); err != nil {
		return err
	}
	e.assign(l)
	return nil
}

func (e *encoder) enum(c *Enum) error {
	e.buf = append(e.buf, tagEnum)
	if err := e.classOf("enum constant", c.Class); err != nil {
		return err
	}
	if c.Class.Flags&FlagEnum == 0 || c.Name == nil {
		return valueErrorf("enum constant of class %q without the enum flag or without a name", c.Class.Name)
	}
	e.assign(c)
	return e.object(c.Name)
}

func (e *encoder) array(a *Array) error {
	e.buf = append(e.buf, tagArray)
	if err := e.classOf("array", a.Class); err != nil {
		return err
	}
	size := primitiveSize(a.elem())
	if size == 0 && !isObjectCode(a.elem()) {
		return valueErrorf("%q is not the name of an array class", a.Class.Name)
	}
	if size == 0 && a.Raw != nil || size > 0 && (a.Elems != nil || len(a.Raw)%size != 0) {
		return valueErrorf("array %q with elements of another type", a.Class.Name)
	}
	if a.Len() > math.MaxInt32 {
		return valueErrorf("array of %d elements", a.Len())
	}
	e.assign(a)
	e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(a.Len()))
	e.buf = append(e.buf, a.Raw...)
	for _, v := range a.Elems {
		if err := e.object(v); err != nil {
			return err
		}
	}
	return nil
}

// contents writes what a class wrote itself, without the end mark.
func (e *encoder) contents(list []Value) error {
	for _, v := range list {
		if b, ok := v.(Block); ok {
			e.buf = appendBlocks(e.buf, nil, b)
			continue
		}
		if err := e.object(v); err != nil {
			return err
		}
	}
	return nil
}

// appendBlocks writes head and body as block data, cut as Java cuts it.
func appendBlocks(dst, head, body []byte) []byte {
	for left := len(head) + len(body); left > 0; {
		n := min(left, maxBlock)
		left -= n
		dst = appendBlockHeader(dst, n)
		h := min(n, len(head))
		dst = append(dst, head[:h]...)
		dst = append(dst, body[:n-h]...)
		head, body = head[h:], body[n-h:]
	}
	return dst
}

// appendBlockHeader writes what stands before n bytes of block data.
func appendBlockHeader(dst []byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(dst, tagBlock, byte(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, tagBlockLong), uint32(n))
}
