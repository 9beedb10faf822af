package javaser

import "encoding/binary"

// The serialVersionUIDs that Tomcat's releases give MemberImpl. Java refuses
// members with a UID other than its own, so a node that sends members inside of
// Java objects must be told which release its peers run.
const (
	MemberUID85  int64 = 3323947316117794076  // Tomcat 8.5 and 9.0
	MemberUID100 int64 = 6004750745337223678  // Tomcat 10.0
	MemberUID101 int64 = -8901659902996040089 // Tomcat 10.1, 11.0 and 12: the default
)

// The values of MemberMessage.Type.
const (
	MemberStart int32 = 1 // a node starts, or answers that it is there
	MemberStop  int32 = 2 // a node leaves
	MemberPing  int32 = 3 // a node is still there
)

// ByteMessage is Tribes' wrapper of plain bytes in the form of an object, as it
// is found inside of an RPC. (A ByteMessage that is sent directly goes as its
// bare bytes and is no Java object at all.)
type ByteMessage struct {
	// Data is the content. Decoded, it aliases the input, unless the
	// content is longer than one block and had to be joined; it is never nil.
	Data []byte
}

// Member is a cluster member inside of a Java object. The member itself stays
// in its own encoding, which this package does not look into.
type Member struct {
	// Image is the member image. Decoded, it aliases the input unless it
	// was split into blocks. Alive times in it are not to be trusted: Java
	// writes the clock of the day for members other than the sender.
	Image []byte
	// UID is the serialVersionUID of class MemberImpl. Decoding accepts any
	// and keeps it here. For encoding 0 means MemberUID101.
	UID int64
	// Static is set for class StaticMember, a member that was configured;
	// otherwise the class is MemberImpl. The content is the same.
	Static bool
}

// MemberMessage is what static membership sends, as the message of an RPC and
// as an object of its own.
type MemberMessage struct {
	// Type is MemberStart, MemberStop or MemberPing. Other values are kept.
	Type int32
	// Member is the member that the message is about, nil for Java's null.
	Member *Member
	// MembershipID names the membership, by default the channel's name and
	// "-StaticMembership". nil is Java's null. Decoded, it aliases the input.
	MembershipID []byte
}

func (*ByteMessage) javaValue()   {}
func (*Member) javaValue()        {}
func (*MemberMessage) javaValue() {}

// Typed turns a tree of a class that this package knows into *ByteMessage,
// *Member, *MemberMessage or *RPC; the message of an RPC is turned likewise
// (but not an RPC in an RPC). Any other value is returned as it is. Only the
// class name is compared, never the serialVersionUID. As in Java, data after
// what a class reads is ignored.
//
// The result shares bytes with v. An error is a *FormatError whose offset is
// that of the object, and means that the data does not fit the class.
func Typed(v Value) (Value, error) {
	o, ok := v.(*Object)
	if !ok {
		return v, nil
	}
	switch o.Class.Name {
	case nameRPC, nameNoRPC:
		return valueOrNil(rpcOf(o))
	}
	return typedMessage(o)
}

// typedMessage is Typed for what may be inside of an RPC.
func typedMessage(v Value) (Value, error) {
	o, ok := v.(*Object)
	if !ok {
		return v, nil
	}
	switch {
	case o.Class.Name == nameByteMessage:
		return valueOrNil(byteMessageOf(o))
	case o.Class.Name == nameMemberMessage:
		return valueOrNil(memberMessageOf(o))
	case isMember(o):
		return valueOrNil(memberOf(o))
	}
	return v, nil
}

func isMember(o *Object) bool {
	return o.Class.Name == nameMemberImpl || o.Class.Name == nameStaticMember
}

// misfit returns the error for an object that is not what its class calls for.
func misfit(o *Object, why string) error {
	return &FormatError{Offset: o.at, Reason: "object of class " + o.Class.Name + ": " + why}
}

// external returns what an object of an externalizable class wrote: the bytes
// that it began with, as a cursor, and the contents after them.
func external(o *Object) (*cursor, []Value, error) {
	if !o.Class.External() || len(o.Data) != 1 {
		return nil, nil, misfit(o, "not externalizable")
	}
	extra := o.Data[0].Extra
	if len(extra) == 0 {
		return nil, nil, misfit(o, "no data")
	}
	b, ok := extra[0].(Block)
	if !ok {
		return nil, nil, misfit(o, "does not begin with block data")
	}
	return &cursor{b: b}, extra[1:], nil
}

// onlyBytes returns the content of an object that wrote an i32 length and that
// many bytes.
func onlyBytes(o *Object) ([]byte, error) {
	c, _, err := external(o)
	if err != nil {
		return nil, err
	}
	p, err := c.bytes("its bytes")
	if err != nil {
		return nil, misfit(o, err.(*FormatError).Reason)
	}
	return p, nil
}

func byteMessageOf(o *Object) (*ByteMessage, error) {
	p, err := onlyBytes(o)
	if err != nil {
		return nil, err
	}
	return &ByteMessage{Data: p}, nil
}

func memberOf(o *Object) (*Member, error) {
	p, err := onlyBytes(o)
	if err != nil {
		return nil, err
	}
	m := &Member{Image: p, UID: o.Class.UID}
	if o.Class.Name == nameStaticMember {
		if o.Class.Super == nil || o.Class.Super.Name != nameMemberImpl {
			return nil, misfit(o, "without its super class")
		}
		m.Static, m.UID = true, o.Class.Super.UID
	}
	return m, nil
}

func memberMessageOf(o *Object) (*MemberMessage, error) {
	kind, _ := o.Field("msgtype")
	n, ok := kind.(Int)
	if !ok {
		return nil, misfit(o, "no int msgtype")
	}
	msg := &MemberMessage{Type: int32(n)}
	v, _ := o.Field("member")
	if v != nil {
		// Not by typedMessage: a message may name itself as its member.
		m, ok := v.(*Object)
		if !ok || !isMember(m) {
			return nil, misfit(o, "member of another class")
		}
		var err error
		if msg.Member, err = memberOf(m); err != nil {
			return nil, err
		}
	}
	id, _ := o.Field("membershipId")
	if id != nil {
		a, ok := id.(*Array)
		if !ok {
			return nil, misfit(o, "membershipId is no array")
		}
		if msg.MembershipID, ok = a.Bytes(); !ok {
			return nil, misfit(o, "membershipId is no byte array")
		}
	}
	return msg, nil
}

// made returns an object of an externalizable class.
func made(c *Class, extra ...Value) *Object {
	return &Object{Class: c, Data: []ClassData{{Class: c, Extra: extra}}}
}

// appendBytes writes an i32 length and the bytes.
func appendBytes(dst, p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(p))), p...)
}
