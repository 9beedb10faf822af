package javaser

// class reads a class description that must be there. Only a finished one may
// be referred to: otherwise a class could become its own super class.
func (d *decoder) class(of string) (*Class, error) {
	at := d.pos
	c, err := d.classOrNull()
	if err == nil && c == nil {
		return nil, d.fail(at, "%s without a class", of)
	}
	return c, err
}

func (d *decoder) classOrNull() (*Class, error) {
	at := d.pos
	if err := d.charge(at, 1); err != nil {
		return nil, err
	}
	v, err := d.object()
	if err != nil || v == nil {
		return nil, err
	}
	c, ok := v.(*Class)
	if !ok {
		return nil, d.fail(at, "not a class description")
	}
	for _, o := range d.open {
		if o == c {
			return nil, d.fail(at, "reference to unfinished class %q", c.Name)
		}
	}
	return c, nil
}

// newClass reads a class description whose tag has been read.
func (d *decoder) newClass(at int, tag byte) (*Class, error) {
	if err := d.use(at, 1, sizeClass); err != nil {
		return nil, err
	}
	c := &Class{}
	if tag == tagProxyDesc {
		c.Proxy, c.Flags = true, FlagSerializable
	}
	d.open = append(d.open, c)
	err := d.describe(at, c)
	d.open = d.open[:len(d.open)-1]
	return c, err
}

func (d *decoder) describe(at int, c *Class) error {
	var err error
	if c.Proxy {
		err = d.proxyHead(at, c)
	} else {
		err = d.classHead(at, c)
	}
	if err != nil {
		return err
	}
	if c.Annotations, err = d.contents(); err != nil {
		return err
	}
	c.Super, err = d.classOrNull()
	return err
}

func (d *decoder) proxyHead(at int, c *Class) error {
	if err := d.assign(at, c); err != nil {
		return err
	}
	n, err := d.length(2, "a list of interfaces")
	if err != nil {
		return err
	}
	if err := d.charge(at, n); err != nil {
		return err
	}
	if err := d.use(at, n, sizeSlot); err != nil {
		return err
	}
	c.Interfaces = make([]string, n)
	for i := range c.Interfaces {
		p, err := d.utf("the name of an interface")
		if err != nil {
			return err
		}
		c.Interfaces[i] = string(p)
	}
	return nil
}

func (d *decoder) classHead(at int, c *Class) error {
	name, err := d.utf("a class name")
	if err != nil {
		return err
	}
	uid, err := d.u64("a serialVersionUID")
	if err != nil {
		return err
	}
	c.Name, c.UID = string(name), int64(uid)
	if err := d.assign(at, c); err != nil {
		return err
	}
	if c.Flags, err = d.u8("the flags of a class"); err != nil {
		return err
	}
	n, err := d.u16("the number of fields")
	if err != nil {
		return err
	}
	if int(n)*3 > d.left() { // type code and length of the name at least
		return d.short("the fields of a class")
	}
	if err := d.charge(at, int(n)); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if err := d.use(at, int(n), sizeField); err != nil {
		return err
	}
	c.Fields = make([]Field, n)
	for i := range c.Fields {
		if err := d.field(&c.Fields[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) field(f *Field) error {
	at := d.pos
	code, err := d.u8("a field of a class")
	if err != nil {
		return err
	}
	if primitiveSize(code) == 0 && !isObjectCode(code) {
		return d.fail(at, "unknown type code %#02x of a field", code)
	}
	name, err := d.utf("the name of a field")
	if err != nil {
		return err
	}
	f.Type, f.Name = code, string(name)
	if !isObjectCode(code) {
		return nil
	}
	if err := d.charge(d.pos, 1); err != nil {
		return err
	}
	f.Signature, err = d.str("the type of a field")
	return err
}
