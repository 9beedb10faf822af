package javaser

import (
	"fmt"
	"math"
)

// slot reads an object, or null, or a reference, for a place that has not been
// counted yet.
func (d *decoder) slot() (Value, error) {
	if err := d.charge(d.pos, 1); err != nil {
		return nil, err
	}
	return d.object()
}

// object reads an object, or null, or a reference. The caller has counted the
// place that the result goes to.
func (d *decoder) object() (Value, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer func() { d.depth-- }()
	at := d.pos
	tag, err := d.u8("an object")
	if err != nil {
		return nil, err
	}
	switch tag {
	case tagNull:
		return nil, nil
	case tagReference:
		return d.reference(at)
	case tagClassDesc, tagProxyDesc:
		return valueOrNil(d.newClass(at, tag))
	case tagClass:
		return valueOrNil(d.newLiteral(at))
	case tagObject:
		return valueOrNil(d.newObject(at))
	case tagString, tagLongString:
		return valueOrNil(d.newString(at, tag))
	case tagArray:
		return valueOrNil(d.newArray(at))
	case tagEnum:
		return valueOrNil(d.newEnum(at))
	}
	return nil, d.fail(at, "%s", badTag(tag))
}

// valueOrNil keeps a nil pointer from becoming a Value that is not nil.
func valueOrNil[T Value](v T, err error) (Value, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// badTag says why a tag cannot stand where an object is due.
func badTag(tag byte) string {
	switch tag {
	case tagBlock, tagBlockLong:
		return "block data where an object is due"
	case tagEndBlock:
		return "end of block data where an object is due"
	case tagReset:
		return "reset inside of an object"
	case tagException:
		return "exception mark: the writer of the stream failed"
	}
	return fmt.Sprintf("unknown tag %#02x", tag)
}

// str reads an object that must be a string.
func (d *decoder) str(what string) (*String, error) {
	at := d.pos
	v, err := d.object()
	if err != nil {
		return nil, err
	}
	s, ok := v.(*String)
	if !ok {
		return nil, d.fail(at, "%s is not a string", what)
	}
	return s, nil
}

func (d *decoder) newString(at int, tag byte) (*String, error) {
	var p []byte
	var err error
	if tag == tagString {
		p, err = d.utf("a string")
	} else {
		p, err = d.longText()
	}
	if err != nil {
		return nil, err
	}
	if err := d.use(at, 1, sizeString); err != nil {
		return nil, err
	}
	s := &String{modified: p}
	return s, d.assign(at, s)
}

// longText reads an i64 length and that much modified UTF-8.
func (d *decoder) longText() ([]byte, error) {
	at := d.pos
	n, err := d.u64("the length of a string")
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt64 {
		return nil, d.fail(at, "negative length %d of a string", int64(n))
	}
	if n > uint64(d.left()) {
		return nil, d.short("a string")
	}
	return d.text(int(n), "a string")
}

func (d *decoder) newLiteral(at int) (*ClassLiteral, error) {
	c, err := d.class("a class object")
	if err != nil {
		return nil, err
	}
	if err := d.use(at, 1, sizeSmall); err != nil {
		return nil, err
	}
	l := &ClassLiteral{Class: c}
	return l, d.assign(at, l)
}

func (d *decoder) newEnum(at int) (*Enum, error) {
	c, err := d.class("an enum constant")
	if err != nil {
		return nil, err
	}
	if c.Flags&FlagEnum == 0 {
		return nil, d.fail(at, "enum constant of class %q, which is no enum", c.Name)
	}
	if err := d.use(at, 1, sizeSmall); err != nil {
		return nil, err
	}
	e := &Enum{Class: c}
	if err := d.assign(at, e); err != nil {
		return nil, err
	}
	if err := d.charge(d.pos, 1); err != nil {
		return nil, err
	}
	e.Name, err = d.str("the name of an enum constant")
	return e, err
}

func (d *decoder) newArray(at int) (*Array, error) {
	c, err := d.class("an array")
	if err != nil {
		return nil, err
	}
	if err := d.use(at, 1, sizeArray); err != nil {
		return nil, err
	}
	a := &Array{Class: c}
	size := primitiveSize(a.elem())
	if size == 0 && !isObjectCode(a.elem()) {
		return nil, d.fail(at, "%q is not the name of an array class", c.Name)
	}
	if err := d.assign(at, a); err != nil {
		return nil, err
	}
	n, err := d.length(max(size, 1), "an array")
	if err != nil {
		return nil, err
	}
	if size > 0 {
		a.Raw, err = d.take(n*size, "an array")
		return a, err
	}
	if err := d.charge(at, n); err != nil {
		return nil, err
	}
	if err := d.use(at, n, sizeSlot); err != nil {
		return nil, err
	}
	a.Elems = make([]Value, n)
	for i := range a.Elems {
		if a.Elems[i], err = d.object(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (d *decoder) newObject(at int) (*Object, error) {
	c, err := d.class("an object")
	if err != nil {
		return nil, err
	}
	if err := d.use(at, 1, sizeObject); err != nil {
		return nil, err
	}
	o := &Object{Class: c, at: at}
	if err := d.assign(at, o); err != nil {
		return nil, err
	}
	if o.Data, err = d.chain(at, c); err != nil {
		return nil, err
	}
	for i := range o.Data {
		if err := d.data(&o.Data[i]); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// chain returns an entry for each class whose data follows, topmost first.
func (d *decoder) chain(at int, c *Class) ([]ClassData, error) {
	n := 0
	for s := c; s != nil; s = s.Super {
		if why := s.layoutProblem(s == c); why != "" {
			return nil, d.fail(at, "class %q is %s", s.Name, why)
		}
		if n++; n > d.lim.Depth {
			return nil, d.exceeds(at, "levels", d.lim.Depth)
		}
		if s.External() {
			break
		}
	}
	if err := d.charge(at, n); err != nil {
		return nil, err
	}
	if err := d.use(at, n, sizeLevel); err != nil {
		return nil, err
	}
	list := make([]ClassData, n)
	for s := c; n > 0; s = s.Super {
		n--
		list[n].Class = s
	}
	return list, nil
}

// data reads what one class of a chain wrote.
func (d *decoder) data(cd *ClassData) error {
	c := cd.Class
	var err error
	if !c.External() {
		if cd.Fields, err = d.fieldValues(c); err != nil {
			return err
		}
		if c.Flags&FlagWriteMethod == 0 {
			return nil
		}
	}
	cd.Extra, err = d.contents()
	return err
}

func (d *decoder) fieldValues(c *Class) ([]Value, error) {
	n := len(c.Fields)
	if n == 0 {
		return nil, nil
	}
	if n > d.left() { // each takes a byte at least
		return nil, d.short("the fields of an object")
	}
	if err := d.charge(d.pos, n); err != nil {
		return nil, err
	}
	if err := d.use(d.pos, n, sizeSlot); err != nil {
		return nil, err
	}
	list := make([]Value, n)
	for i, f := range c.Fields {
		var err error
		if isObjectCode(f.Type) {
			list[i], err = d.object()
		} else {
			list[i], err = d.primitive(f.Type)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// primitive reads a field value. The description was checked for type codes.
func (d *decoder) primitive(code byte) (Value, error) {
	p, err := d.take(primitiveSize(code), "a field")
	if err == nil && len(p) > 1 {
		err = d.use(d.pos, 1, 8)
	}
	if err != nil {
		return nil, err
	}
	var bits uint64
	for _, b := range p {
		bits = bits<<8 | uint64(b)
	}
	switch code {
	case 'Z':
		return Bool(bits != 0), nil
	case 'B':
		return Byte(bits), nil
	case 'C':
		return Char(bits), nil
	case 'S':
		return Short(bits), nil
	case 'I':
		return Int(bits), nil
	case 'J':
		return Long(bits), nil
	case 'F':
		return Float(math.Float32frombits(uint32(bits))), nil
	}
	return Double(math.Float64frombits(bits)), nil
}
