package javaser

import (
	"encoding/binary"
	"math"
)

// RPC is a request or a reply of an RPC channel.
type RPC struct {
	// Reply tells a reply from a request.
	Reply bool
	// NoChannel is set for the automatic reply of a node where no RPC
	// channel has this ID. Decoded, such a reply has Reply set and no
	// Message. Encoding ignores Reply then and refuses a Message.
	NoChannel bool
	// UUID is the request's identity, normally 16 bytes. Its reply repeats it.
	UUID []byte
	// ID names the RPC channel.
	ID []byte
	// Message is what is asked or answered, nil for Java's null. Decoding
	// gives *ByteMessage, *Member, *MemberMessage, or else the tree. A tree
	// that came out of another stream may be sent on: references are
	// numbered anew.
	Message Value
}

func (*RPC) javaValue() {}

// The parts of an RPC that are the same for all, as they stand in a stream. In
// neither is anything that a reference would have to point to, so their place
// in the stream does not matter.
const (
	rpcStart   = streamHeader + "\x73\x72\x00\x2b" + nameRPC
	rpcHead    = rpcStart + "\x71\x2a\x75\x0f\xf2\x74\xe5\x09\x0c\x00\x00\x78\x70"
	noRPCStart = streamHeader + "\x73\x72\x00\x3d" + nameNoRPC
	bytesHead  = "\x73\x72\x00\x26" + nameByteMessage +
		"\x7f\x57\x97\x0a\x7b\xab\xe1\x0d\x0c\x00\x00\x78\x70"
)

// IsRPC reports whether b starts like a stream with an RPC. It looks at
// 69 bytes at most and allocates nothing; the rest may still turn out to be
// damaged.
func IsRPC(b []byte) bool { return hasPrefix(b, rpcStart) || hasPrefix(b, noRPCStart) }

// IsMemberMessage reports whether b starts like a stream with a MemberMessage,
// at the same cost and with the same reserve as IsRPC.
func IsMemberMessage(b []byte) bool {
	return hasPrefix(b, streamHeader+"\x73\x72\x00\x4c"+nameMemberMessage)
}

// AppendRPC writes a stream that holds r and returns the extended dst. It
// borrows r for the call. The bytes are those that Java writes for the same
// message. Errors are those of Append, and one for an RPC that is too long for
// the format or has NoChannel set and a Message.
func AppendRPC(dst []byte, r *RPC) ([]byte, error) {
	m, isBytes := r.Message.(*ByteMessage)
	if r.NoChannel || r.Message != nil && !isBytes || rpcTooLong(r.UUID, r.ID) {
		return Append(dst, r)
	}
	if !isBytes {
		dst = appendRPCHead(dst, r.Reply, r.UUID, r.ID)
		return append(dst, tagNull, tagEndBlock), nil
	}
	if len(m.Data) > math.MaxInt32 {
		return dst, valueErrorf("%d bytes in one object", len(m.Data))
	}
	dst = appendRPCHead(dst, r.Reply, r.UUID, r.ID)
	dst = append(dst, bytesHead...)
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(m.Data)))
	dst = appendBlocks(dst, length[:], m.Data)
	return append(dst, tagEndBlock, tagEndBlock), nil
}

// AppendRPCBytes writes a stream that holds an RPC whose message is payload as
// a ByteMessage, and returns the extended dst. It is AppendRPC with two
// differences, meant for large payloads and many calls: it allocates nothing
// but what dst lacks, and a payload of more than 1020 bytes is one block where
// Java cuts at 1024, so that a decoder can alias it. Java reads both.
//
// It borrows uuid, id and payload for the call. It panics if one of them does
// not fit the format's lengths, that is, from 2 GiB on.
func AppendRPCBytes(dst []byte, reply bool, uuid, id, payload []byte) []byte {
	if rpcTooLong(uuid, id) || len(payload) > math.MaxInt32-4 {
		panic("tribes: encode java object: RPC of 2 GiB or more")
	}
	dst = appendRPCHead(dst, reply, uuid, id)
	dst = append(dst, bytesHead...)
	dst = appendBlockHeader(dst, 4+len(payload))
	dst = appendBytes(dst, payload)
	return append(dst, tagEndBlock, tagEndBlock)
}

func rpcTooLong(uuid, id []byte) bool {
	return len(uuid) > math.MaxInt32 || len(id) > math.MaxInt32
}

// appendRPCHead writes all that comes before the message.
func appendRPCHead(dst []byte, reply bool, uuid, id []byte) []byte {
	var space [256]byte // on the stack, and enough for a usual id
	own := appendRPCFields(space[:0], reply, uuid, id)
	return appendBlocks(append(dst, rpcHead...), own, nil)
}

// appendRPCFields writes the content of an RPC's block data.
func appendRPCFields(dst []byte, reply bool, uuid, id []byte) []byte {
	flag := byte(0)
	if reply {
		flag = 1
	}
	return appendBytes(appendBytes(append(dst, flag), uuid), id)
}

func (r *RPC) tree() (*Object, error) {
	if rpcTooLong(r.UUID, r.ID) {
		return nil, valueErrorf("RPC with an id of 2 GiB or more")
	}
	if !r.NoChannel {
		return made(classRPC, Block(appendRPCFields(nil, r.Reply, r.UUID, r.ID)), r.Message), nil
	}
	if r.Message != nil {
		return nil, valueErrorf("reply of no channel with a message")
	}
	return made(classNoRPC, Block(appendBytes(appendBytes(nil, r.UUID), r.ID))), nil
}
