package javaser

// Value is anything that a stream can hold: nil for Java's null, or one of
//
//   - *String, *Object, *Array, *Enum, *Class, *ClassLiteral: the tree as the
//     decoding functions build it;
//   - Bool, Byte, Char, Short, Int, Long, Float, Double: field values only;
//   - Block: bytes that a class wrote on its own;
//   - *ByteMessage, *Member, *MemberMessage, *RPC: objects that Tribes itself
//     sends, in a form that is easy to use. Typed and the functions that decode
//     one kind of object produce them, the encoding functions take them wherever
//     an object may stand.
//
// A pointer that occurs twice in a tree is one Java object, and trees can have
// cycles. Whoever walks a tree must be ready for both.
//
// Values are plain data. They are safe for concurrent use as long as nobody
// changes them. A nil pointer of one of the types above is not a Value, except
// where a field says so.
type Value interface{ javaValue() }

// Bool is a field value of type code Z.
type Bool bool

// Byte is a field value of type code B.
type Byte int8

// Char is a field value of type code C, a UTF-16 unit.
type Char uint16

// Short is a field value of type code S.
type Short int16

// Int is a field value of type code I.
type Int int32

// Long is a field value of type code J.
type Long int64

// Float is a field value of type code F.
type Float float32

// Double is a field value of type code D.
type Double float64

// Block is block data: bytes that the write method of a class wrote outside of
// fields and objects. Blocks that follow each other in the stream are joined
// to one Block, and empty blocks are dropped, because where Java cuts them has
// no meaning. A Block aliases the decoder's input unless it had to be joined.
type Block []byte

// Object is an instance of a class.
type Object struct {
	// Class is the description of its class, never nil.
	Class *Class
	// Data holds one entry per class of the chain, topmost super class
	// first, as in the stream. An externalizable class has exactly one
	// entry, for itself: what it writes includes its super classes' data.
	Data []ClassData

	at int // offset in the decoder's input, for errors; 0 for made objects
}

// ClassData is what one class of an object's chain wrote.
type ClassData struct {
	// Class is the class of the chain that this entry belongs to.
	Class *Class
	// Fields are the values for Class.Fields, in the same order. Empty for
	// an externalizable class.
	Fields []Value
	// Extra is what the class wrote itself: Blocks and objects. Empty
	// unless the class has FlagWriteMethod or is externalizable.
	Extra []Value
}

// Field returns the value of the named field, looking in the object's own
// class first and then in its super classes. It reports false if no class has
// such a field; a field that holds null gives nil and true.
func (o *Object) Field(name string) (Value, bool) {
	for i := len(o.Data) - 1; i >= 0; i-- {
		d := &o.Data[i]
		for j, f := range d.Class.Fields {
			if f.Name == name && j < len(d.Fields) {
				return d.Fields[j], true
			}
		}
	}
	return nil, false
}

// Array is a Java array.
type Array struct {
	// Class is the description of the array class, never nil. Its name is
	// "[" and the type of the elements, such as "[B" or "[Ljava.lang.String;".
	Class *Class
	// Raw holds the elements of an array of primitives, as in the stream:
	// big endian, 1, 2, 4 or 8 bytes each. It aliases the decoder's input.
	Raw []byte
	// Elems holds the elements of an array of objects or arrays.
	Elems []Value
}

// Len returns the number of elements.
func (a *Array) Len() int {
	if size := primitiveSize(a.elem()); size > 0 {
		return len(a.Raw) / size
	}
	return len(a.Elems)
}

// Bytes returns the content of a byte array, and false if it is another kind
// of array. The slice is Raw itself, so it aliases the decoder's input; it is
// never nil when the result is true.
func (a *Array) Bytes() ([]byte, bool) {
	if a.elem() != 'B' {
		return nil, false
	}
	if a.Raw == nil {
		return []byte{}, true
	}
	return a.Raw, true
}

// elem returns the type code of the elements, 0 if Class is no array class.
func (a *Array) elem() byte {
	if a.Class == nil || len(a.Class.Name) < 2 || a.Class.Name[0] != '[' {
		return 0
	}
	return a.Class.Name[1]
}

// Enum is a constant of an enum class.
type Enum struct {
	// Class is the description of the enum class, never nil.
	Class *Class
	// Name is the name of the constant, never nil.
	Name *String
}

// ClassLiteral is a java.lang.Class object. A *Class that stands where an
// object may stand is something else, a java.io.ObjectStreamClass object.
type ClassLiteral struct {
	// Class describes the class that this literal stands for, never nil.
	Class *Class
}

func (Bool) javaValue()          {}
func (Byte) javaValue()          {}
func (Char) javaValue()          {}
func (Short) javaValue()         {}
func (Int) javaValue()           {}
func (Long) javaValue()          {}
func (Float) javaValue()         {}
func (Double) javaValue()        {}
func (Block) javaValue()         {}
func (*String) javaValue()       {}
func (*Object) javaValue()       {}
func (*Array) javaValue()        {}
func (*Enum) javaValue()         {}
func (*Class) javaValue()        {}
func (*ClassLiteral) javaValue() {}
