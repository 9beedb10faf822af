package javaser

import "math"

// The names of the classes that Tribes sends.
const (
	nameByteMessage   = "org.apache.catalina.tribes.ByteMessage"
	nameMemberImpl    = "org.apache.catalina.tribes.membership.MemberImpl"
	nameStaticMember  = "org.apache.catalina.tribes.membership.StaticMember"
	nameMemberMessage = "org.apache.catalina.tribes.membership.StaticMembershipProvider$MemberMessage"
	nameRPC           = "org.apache.catalina.tribes.group.RpcMessage"
	nameNoRPC         = "org.apache.catalina.tribes.group.RpcMessage$NoRpcChannelReply"
)

const flagsExternal = FlagExternalizable | FlagBlockData

// The descriptions that the encoder writes. They are never changed and never
// handed out. Java keeps one string object per type, so descriptions of one
// stream share them; hence the two signatures.
var (
	signatureBytes  = NewString("[B")
	signatureMember = NewString("Lorg/apache/catalina/tribes/Member;")

	classBytes       = &Class{Name: "[B", UID: uid(0xacf317f8060854e0), Flags: FlagSerializable}
	classByteMessage = &Class{Name: nameByteMessage, UID: 0x7f57970a7babe10d, Flags: flagsExternal}
	classRPC         = &Class{Name: nameRPC, UID: 0x712a750ff274e509, Flags: flagsExternal}
	classNoRPC       = &Class{Name: nameNoRPC, UID: 0x7bab8fb36a4b5ba6, Flags: flagsExternal, Super: classRPC}

	classMemberMessage = &Class{
		Name: nameMemberMessage, UID: 1, Flags: FlagSerializable,
		Fields: []Field{
			{Type: 'I', Name: "msgtype"},
			{Type: 'L', Name: "member", Signature: signatureMember},
			{Type: '[', Name: "membershipId", Signature: signatureBytes},
		},
	}

	classesMember = []memberClasses{
		newMemberClasses(MemberUID101), newMemberClasses(MemberUID100), newMemberClasses(MemberUID85),
	}
)

// uid gives the sign that Java prints to a serialVersionUID in hex.
func uid(bits uint64) int64 { return int64(bits) }

// memberClasses are the descriptions of members of one release.
type memberClasses struct{ impl, static *Class }

func newMemberClasses(impluid int64) memberClasses {
	impl := &Class{Name: nameMemberImpl, UID: impluid, Flags: flagsExternal}
	return memberClasses{
		impl:   impl,
		static: &Class{Name: nameStaticMember, UID: uid(0xa32603887eb6b8a1), Flags: flagsExternal, Super: impl},
	}
}

// class returns the description that m is written with. Members of a known
// release share it, so that a stream with many of them has it once.
func (m *Member) class() *Class {
	want := m.UID
	if want == 0 {
		want = MemberUID101
	}
	pair := memberClasses{}
	for _, known := range classesMember {
		if known.impl.UID == want {
			pair = known
		}
	}
	if pair.impl == nil {
		pair = newMemberClasses(want)
	}
	if m.Static {
		return pair.static
	}
	return pair.impl
}

func (m *ByteMessage) tree() (*Object, error) {
	b, err := sizedBlock(m.Data)
	return made(classByteMessage, b), err
}

func (m *Member) tree() (*Object, error) {
	b, err := sizedBlock(m.Image)
	return made(m.class(), b), err
}

// sizedBlock returns block data of an i32 length and the bytes.
func sizedBlock(p []byte) (Block, error) {
	if len(p) > math.MaxInt32 {
		return nil, valueErrorf("%d bytes in one object", len(p))
	}
	return appendBytes(make([]byte, 0, 4+len(p)), p), nil
}

func (m *MemberMessage) tree() (*Object, error) {
	var member, id Value
	if m.Member != nil {
		member = m.Member
	}
	if m.MembershipID != nil {
		id = &Array{Class: classBytes, Raw: m.MembershipID}
	}
	return &Object{Class: classMemberMessage, Data: []ClassData{{
		Class:  classMemberMessage,
		Fields: []Value{Int(m.Type), member, id},
	}}}, nil
}
