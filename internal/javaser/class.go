package javaser

// The flags of a class description.
const (
	// FlagWriteMethod: the class wrote Extra after its fields.
	FlagWriteMethod = 0x01
	// FlagSerializable: the stream writes the fields of the class.
	FlagSerializable = 0x02
	// FlagExternalizable: the class writes all of its data itself.
	FlagExternalizable = 0x04
	// FlagBlockData: an externalizable class wrote in blocks, so that a
	// reader that does not know the class finds the end.
	FlagBlockData = 0x08
	// FlagEnum: the class is an enum.
	FlagEnum = 0x10
)

// Class is a class description: what the stream tells about a class. It names
// a class and never causes one to be found or run.
type Class struct {
	// Name is the class name with dots, in modified UTF-8 as in the stream.
	// That equals a Go string unless the name has a zero character or one
	// above U+FFFF. Empty for a proxy class.
	Name string
	// UID is the serialVersionUID. Decoding accepts any. Unused for a proxy.
	UID int64
	// Flags is a set of the Flag constants. For a proxy class it is always
	// FlagSerializable.
	Flags byte
	// Fields are the serialized fields of this class without those of its
	// super classes, in the order of the stream.
	Fields []Field
	// Proxy is set for a dynamic proxy class, which has Interfaces (names,
	// in the form of Name) in place of Name, UID and Fields.
	Proxy      bool
	Interfaces []string
	// Annotations is what the writer of the stream added to the
	// description: Blocks and objects, normally none.
	Annotations []Value
	// Super describes the super class, nil if that is not serializable.
	Super *Class
}

// Field is a field of a class description.
type Field struct {
	// Type is the type code: one of B C D F I J S Z for primitives, L for a
	// class, [ for an array.
	Type byte
	// Name is the field's name, in the form of Class.Name.
	Name string
	// Signature is the full type for codes L and [, such as
	// "Ljava/lang/String;" or "[B", and nil for primitives.
	Signature *String
}

// External reports whether the class is externalizable in block data, so that
// its objects have Extra only.
func (c *Class) External() bool {
	return c.Flags&FlagExternalizable != 0 && c.Flags&FlagBlockData != 0
}

// layoutProblem says why no object of this class can be read or written, or
// returns "". leaf is set for the class of the object itself.
func (c *Class) layoutProblem(leaf bool) string {
	switch c.Flags & (FlagSerializable | FlagExternalizable) {
	case FlagSerializable:
		return ""
	case FlagExternalizable:
		if c.Flags&FlagBlockData == 0 {
			return "externalizable without block data, its end cannot be found"
		}
		if !leaf {
			return "externalizable super class of a serializable class"
		}
		return ""
	case 0:
		return "not serializable"
	}
	return "both serializable and externalizable"
}
