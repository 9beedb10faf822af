package javaser

import (
	"math"
	"slices"
)

// IsStream reports whether b starts like a Java object stream. It looks at
// four bytes; the rest may still turn out to be damaged.
func IsStream(b []byte) bool { return hasPrefix(b, streamHeader) }

// hasPrefix is bytes.HasPrefix for a constant.
func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// Decode reads a stream that holds exactly one object, as Tribes sends them,
// and returns it as a tree. Bytes after the object are an error.
//
// Nothing in the stream is believed beyond its format: no class is looked up,
// no length is allocated that the input cannot hold, lim bounds the rest. The
// result aliases b wherever it holds bytes or strings, so it is valid as long
// as b is not changed. Errors are of type *FormatError. Decode never panics.
// It keeps no state and is safe for concurrent use.
func Decode(b []byte, lim Limits) (Value, error) {
	d, err := newDecoder(b, lim)
	if err != nil {
		return nil, err
	}
	d.resets()
	v, err := d.slot()
	if err != nil {
		return nil, err
	}
	if d.left() > 0 {
		return nil, d.fail(d.pos, "%d bytes after the object", d.left())
	}
	return v, nil
}

// DecodeStream reads a stream that holds any number of contents, as classes
// write them that use one stream for several objects. Each element of the
// result is an object, nil or a Block. What Decode promises holds here too.
func DecodeStream(b []byte, lim Limits) ([]Value, error) {
	d, err := newDecoder(b, lim)
	if err != nil {
		return nil, err
	}
	var all []Value
	for {
		d.resets()
		if d.left() == 0 {
			return all, nil
		}
		if all, err = d.content(all); err != nil {
			return nil, err
		}
	}
}

// decoder reads one stream. Its methods return *FormatError only.
type decoder struct {
	cursor
	lim     Limits // resolved
	values  int    // counted so far
	memory  int    // that the tree may still take
	depth   int
	handles []Value
	open    []*Class // descriptions begun and not finished, outermost first
}

func newDecoder(b []byte, lim Limits) (*decoder, error) {
	d := &decoder{cursor: cursor{b: b}, lim: lim.resolve()}
	if len(b) > d.lim.Bytes {
		return nil, d.exceeds(d.lim.Bytes, "bytes", d.lim.Bytes)
	}
	if !IsStream(b) {
		if len(b) < len(streamHeader) {
			return nil, d.short("the stream header")
		}
		return nil, d.fail(0, "no Java object stream")
	}
	d.pos = len(streamHeader)
	d.memory = math.MaxInt
	if d.lim.Factor < (math.MaxInt-freeMemory)/len(b) {
		d.memory = freeMemory + d.lim.Factor*len(b)
	}
	return d, nil
}

// What parts of a tree take, in bytes. Lists that grow have room for more than they hold.
const (
	sizeSlot   = 16 // of a Value
	sizeGrown  = 24 // of a Value in a list that grows
	sizeObject = 48
	sizeLevel  = 56 // of a ClassData
	sizeArray  = 64
	sizeString = 24
	sizeClass  = 128
	sizeField  = 32
	sizeSmall  = 16
)

// use counts the memory of n parts of a tree before it is taken.
func (d *decoder) use(at, n, size int) error {
	if n > d.memory/size {
		e := d.fail(at, "takes more than %d times the memory of its %d bytes", d.lim.Factor, len(d.b)).(*FormatError)
		e.Limit = true
		return e
	}
	d.memory -= n * size
	return nil
}

// exceeds returns the error for a limit that was reached at the given offset.
func (d *decoder) exceeds(at int, what string, n int) error {
	e := d.fail(at, "more than %d %s", n, what).(*FormatError)
	e.Limit = true
	return e
}

// charge counts n values. It is called before memory is taken for them.
func (d *decoder) charge(at, n int) error {
	if n > d.lim.Values-d.values {
		return d.exceeds(at, "values", d.lim.Values)
	}
	d.values += n
	return nil
}

// enter begins a level of nesting, which d.depth-- ends.
func (d *decoder) enter() error {
	if d.depth >= d.lim.Depth {
		return d.exceeds(d.pos, "levels", d.lim.Depth)
	}
	d.depth++
	return nil
}

// assign gives v the next handle.
func (d *decoder) assign(at int, v Value) error {
	if len(d.handles) >= d.lim.Handles {
		return d.exceeds(at, "handles", d.lim.Handles)
	}
	if err := d.use(at, 1, sizeGrown); err != nil {
		return err
	}
	d.handles = append(d.handles, v)
	return nil
}

// resets skips reset marks, which are legal between top level contents only
// and make the stream forget its handles.
func (d *decoder) resets() {
	for d.left() > 0 && d.b[d.pos] == tagReset {
		d.pos++
		d.handles = d.handles[:0]
	}
}

// reference reads a handle and returns what it stands for.
func (d *decoder) reference(at int) (Value, error) {
	h, err := d.u32("a reference")
	if err != nil {
		return nil, err
	}
	if h < baseHandle || h > math.MaxInt32 || int(h-baseHandle) >= len(d.handles) {
		return nil, d.fail(at, "reference to unknown handle %#x", h)
	}
	return d.handles[h-baseHandle], nil
}

// content reads what may stand where a class writes on its own or at top
// level, an object or block data, and appends it to list.
func (d *decoder) content(list []Value) ([]Value, error) {
	tag, err := d.peek("a content")
	if err == nil {
		err = d.use(d.pos, 1, sizeGrown)
	}
	if err != nil {
		return nil, err
	}
	if tag != tagBlock && tag != tagBlockLong {
		v, err := d.slot()
		if err != nil {
			return nil, err
		}
		return append(list, v), nil
	}
	blk, err := d.blocks()
	if err != nil {
		return nil, err
	}
	if len(blk) > 0 {
		list = append(list, blk)
	}
	return list, nil
}

// contents reads contents up to the mark that ends them.
func (d *decoder) contents() ([]Value, error) {
	var list []Value
	for {
		tag, err := d.peek("block data")
		if err != nil {
			return nil, err
		}
		if tag == tagEndBlock {
			d.pos++
			return list, nil
		}
		if list, err = d.content(list); err != nil {
			return nil, err
		}
	}
}

// blocks reads block data and joins what Java had to cut. A single block
// aliases the input. The caller has seen that there is a block.
func (d *decoder) blocks() (Block, error) {
	first, err := d.block()
	if err != nil || !d.moreBlocks() {
		return first, err
	}
	parts := [][]byte{first}
	for d.moreBlocks() {
		p, err := d.block()
		if err == nil {
			err = d.use(d.pos, 1, 2*sizeGrown)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	whole := 0
	for _, p := range parts {
		whole += len(p)
	}
	if err := d.use(d.pos, whole, 1); err != nil {
		return nil, err
	}
	return slices.Concat(parts...), nil
}

// moreBlocks reports whether a block follows a block. As for Java, a reset does
// not part blocks where it is legal, outside of all objects.
func (d *decoder) moreBlocks() bool {
	if d.depth == 0 {
		d.resets()
	}
	return d.atBlock()
}

func (d *decoder) atBlock() bool {
	return d.left() > 0 && (d.b[d.pos] == tagBlock || d.b[d.pos] == tagBlockLong)
}

// block reads one block. The caller has seen its tag.
func (d *decoder) block() (Block, error) {
	if err := d.charge(d.pos, 1); err != nil {
		return nil, err
	}
	if err := d.use(d.pos, 1, sizeString); err != nil {
		return nil, err
	}
	tag := d.b[d.pos]
	d.pos++
	if tag == tagBlockLong {
		return d.bytes("a block")
	}
	n, err := d.u8("a block")
	if err != nil {
		return nil, err
	}
	return d.take(int(n), "a block")
}
