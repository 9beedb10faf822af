package group

import (
	"bytes"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/message"
)

// BodyKind says which Java object a request or a reply is on the wire. Members of
// this module do not care; Java programs ask for the one that they know.
type BodyKind uint8

// The kinds of bodies.
const (
	BodyBytes  BodyKind = iota // Tribes' ByteMessage, which is what this module sends if not told otherwise
	BodyArray                  // a byte[]
	BodyString                 // a String; Body.Bytes is its text in UTF-8
	BodyNull                   // null
	BodyObject                 // any other object: Body.Object
)

// Body is what a request or a reply carries. The zero Body is an empty ByteMessage.
type Body struct {
	// Kind says what is on the wire.
	Kind BodyKind
	// Bytes is the content of a ByteMessage, a byte[] or a String. Of a body that was
	// received the bytes belong to who has it.
	Bytes []byte
	// Object is the content of any other object, for packages of this module that
	// know its class. It is data: nothing is looked up or created by the names in it.
	Object javaser.Value
}

// Class returns the name of the Java class of the body, empty for null and for an
// object that has none of its own, such as an array.
func (b *Body) Class() string {
	switch b.Kind {
	case BodyBytes:
		return "org.apache.catalina.tribes.ByteMessage"
	case BodyArray:
		return "[B"
	case BodyString:
		return "java.lang.String"
	}
	switch o := b.Object.(type) {
	case *javaser.Object:
		return o.Class.Name
	case *javaser.Array:
		return o.Class.Name
	case *javaser.Enum:
		return o.Class.Name
	}
	return ""
}

// bodyOf returns a copy of the message of a remote call that was read from payload. An
// object is still to be read.
func bodyOf(payload []byte, call *javaser.RPC) Body {
	switch v := call.Message.(type) {
	case nil:
		return Body{Kind: BodyNull}
	case *javaser.ByteMessage:
		return Body{Kind: BodyBytes, Bytes: bytes.Clone(v.Data)}
	case *javaser.String:
		return Body{Kind: BodyString, Bytes: []byte(v.String())}
	case *javaser.Array:
		if b, ok := v.Bytes(); ok {
			return Body{Kind: BodyArray, Bytes: bytes.Clone(b)}
		}
	}
	// The tree aliases the payload, so it is read once more, from a copy.
	return Body{Kind: BodyObject, Bytes: bytes.Clone(payload)}
}

// read makes the tree of an object of bodyOf, which may take far more memory than the
// bytes that it comes from.
func (b *Body) read() {
	if b.Kind != BodyObject {
		return
	}
	call, err := javaser.DecodeRPC(b.Bytes, javaser.Limits{})
	if err != nil {
		panic("tribes: rpc: a remote call that was readable is not: " + err.Error())
	}
	b.Bytes, b.Object = nil, call.Message
}

// value is the object that stands for the body.
func (b *Body) value() javaser.Value {
	switch b.Kind {
	case BodyBytes:
		return &javaser.ByteMessage{Data: b.Bytes}
	case BodyArray:
		return &javaser.Array{Class: byteArray, Raw: b.Bytes}
	case BodyString:
		return javaser.NewString(string(b.Bytes))
	case BodyObject:
		return b.Object
	}
	return nil
}

// byteArray is the class of a byte[].
var byteArray = &javaser.Class{Name: "[B", UID: -0x530ce807f9f7ab20, Flags: javaser.FlagSerializable}

const (
	// rpcOverhead is more than a remote call takes beside its ids and its bytes, if
	// they are not longer than usual.
	rpcOverhead = 256
	// maxUUID is the length of a UUID that is not longer than usual.
	maxUUID = 255
)

// rpcMessage makes a message, from the local member, that holds a remote call with an
// id of at most MaxRPCID bytes. The caller releases it.
func rpcMessage(h channel.Host, reply bool, uuid []byte, id string, b *Body) (*message.Message, error) {
	if b.Kind != BodyBytes || len(uuid) > maxUUID {
		return objectMessage(h, &javaser.RPC{Reply: reply, UUID: uuid, ID: []byte(id), Message: b.value()})
	}
	var room [MaxRPCID]byte // on the stack
	size := rpcOverhead + len(uuid) + len(id) + len(b.Bytes)
	m := h.NewMessage(size)
	stream := javaser.AppendRPCBytes(m.Payload()[:0], reply, uuid, append(room[:0], id...), b.Bytes)
	m.Trim(size - len(stream))
	return m, nil
}

// objectMessage makes a message that holds any remote call.
func objectMessage(h channel.Host, call *javaser.RPC) (*message.Message, error) {
	stream, err := javaser.AppendRPC(nil, call)
	if err != nil {
		return nil, err
	}
	m := h.NewMessage(len(stream))
	copy(m.Payload(), stream)
	return m, nil
}
