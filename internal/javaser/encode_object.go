package javaser

import (
	"encoding/binary"
	"math"
)

// classOf writes the class of something, which must be there.
func (e *encoder) classOf(what string, c *Class) error {
	if c == nil {
		return valueErrorf("%s without a class", what)
	}
	return e.object(c)
}

// class writes a description.
func (e *encoder) class(c *Class) error {
	var err error
	if c.Proxy {
		err = e.proxyHead(c)
	} else {
		err = e.classHead(c)
	}
	if err != nil {
		return err
	}
	if err := e.contents(c.Annotations); err != nil {
		return err
	}
	e.buf = append(e.buf, tagEndBlock)
	if c.Super == nil {
		return e.object(nil)
	}
	return e.object(c.Super)
}

func (e *encoder) proxyHead(c *Class) error {
	e.buf = append(e.buf, tagProxyDesc)
	e.assign(c)
	e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(len(c.Interfaces)))
	for _, name := range c.Interfaces {
		if err := e.utf(name); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) classHead(c *Class) error {
	e.buf = append(e.buf, tagClassDesc)
	if err := e.utf(c.Name); err != nil {
		return err
	}
	e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(c.UID))
	e.assign(c)
	if len(c.Fields) > math.MaxUint16 {
		return valueErrorf("class %q with %d fields", c.Name, len(c.Fields))
	}
	e.buf = append(e.buf, c.Flags)
	e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(len(c.Fields)))
	for i := range c.Fields {
		if err := e.field(c, &c.Fields[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) field(c *Class, f *Field) error {
	isObject := isObjectCode(f.Type)
	if !isObject && primitiveSize(f.Type) == 0 || isObject != (f.Signature != nil) {
		return valueErrorf("class %q: field %q has no proper type", c.Name, f.Name)
	}
	e.buf = append(e.buf, f.Type)
	if err := e.utf(f.Name); err != nil || !isObject {
		return err
	}
	return e.object(f.Signature)
}

// utf writes a name, which is in modified UTF-8 already.
func (e *encoder) utf(s string) error {
	if len(s) > math.MaxUint16 {
		return valueErrorf("name of %d bytes", len(s))
	}
	if !validModified([]byte(s)) {
		return valueErrorf("name %q is not modified UTF-8", s)
	}
	e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(len(s)))
	e.buf = append(e.buf, s...)
	return nil
}

// instance writes an object.
func (e *encoder) instance(o *Object) error {
	e.buf = append(e.buf, tagObject)
	if err := e.classOf("object", o.Class); err != nil {
		return err
	}
	if err := checkChain(o); err != nil {
		return err
	}
	e.assign(o)
	for i := range o.Data {
		if err := e.data(&o.Data[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkChain sees to it that Data has one entry for each class whose data a
// reader will expect.
func checkChain(o *Object) error {
	i := len(o.Data)
	for c := o.Class; c != nil; c = c.Super {
		if why := c.layoutProblem(c == o.Class); why != "" {
			return valueErrorf("class %q is %s", c.Name, why)
		}
		if i--; i < 0 || o.Data[i].Class != c {
			return valueErrorf("object of class %q: data does not match its class chain", o.Class.Name)
		}
		if c.External() {
			break
		}
	}
	if i != 0 {
		return valueErrorf("object of class %q: data for more classes than it has", o.Class.Name)
	}
	return nil
}

// data writes what one class of a chain wrote.
func (e *encoder) data(d *ClassData) error {
	c := d.Class
	fields := c.Fields
	if c.External() {
		fields = nil
	}
	if len(d.Fields) != len(fields) {
		return valueErrorf("class %q: %d values for %d fields", c.Name, len(d.Fields), len(fields))
	}
	for i, f := range fields {
		if err := e.fieldValue(c, f, d.Fields[i]); err != nil {
			return err
		}
	}
	if !c.External() && c.Flags&FlagWriteMethod == 0 {
		if len(d.Extra) > 0 {
			return valueErrorf("class %q: extra data without the flag for it", c.Name)
		}
		return nil
	}
	if err := e.contents(d.Extra); err != nil {
		return err
	}
	e.buf = append(e.buf, tagEndBlock)
	return nil
}

func (e *encoder) fieldValue(c *Class, f Field, v Value) error {
	if isObjectCode(f.Type) {
		return e.object(v)
	}
	if code := e.primitive(v); code != f.Type {
		return valueErrorf("class %q: field %q of type %c holds %T", c.Name, f.Name, f.Type, v)
	}
	return nil
}

// primitive writes a primitive value and returns its type code, 0 if v is none.
func (e *encoder) primitive(v Value) byte {
	be := binary.BigEndian
	switch v := v.(type) {
	case Bool:
		b := byte(0)
		if v {
			b = 1
		}
		e.buf = append(e.buf, b)
		return 'Z'
	case Byte:
		e.buf = append(e.buf, byte(v))
		return 'B'
	case Char:
		e.buf = be.AppendUint16(e.buf, uint16(v))
		return 'C'
	case Short:
		e.buf = be.AppendUint16(e.buf, uint16(v))
		return 'S'
	case Int:
		e.buf = be.AppendUint32(e.buf, uint32(v))
		return 'I'
	case Long:
		e.buf = be.AppendUint64(e.buf, uint64(v))
		return 'J'
	case Float:
		e.buf = be.AppendUint32(e.buf, math.Float32bits(float32(v)))
		return 'F'
	case Double:
		e.buf = be.AppendUint64(e.buf, math.Float64bits(float64(v)))
		return 'D'
	}
	return 0
}
