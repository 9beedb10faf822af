package javaser

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
)

// TestTypedRoundTrip: what is written typed comes back equal.
func TestTypedRoundTrip(t *testing.T) {
	image := bytes.Repeat([]byte("image"), 500)
	tests := []struct {
		name string
		in   Value
		want Value // nil: the same
	}{
		{"bytes", &ByteMessage{Data: []byte("abc")}, nil},
		{"no bytes", &ByteMessage{Data: []byte{}}, nil},
		{"nil bytes", &ByteMessage{}, &ByteMessage{Data: []byte{}}},
		{"many bytes", &ByteMessage{Data: image}, nil},
		{"member", &Member{Image: image, UID: MemberUID101}, nil},
		{"member, default", &Member{Image: []byte("i")}, &Member{Image: []byte("i"), UID: MemberUID101}},
		{"member of 10.0", &Member{Image: []byte("i"), UID: MemberUID100}, nil},
		{"member of 9.0", &Member{Image: []byte("i"), UID: MemberUID85}, nil},
		{"member of another", &Member{Image: []byte("i"), UID: -3}, nil},
		{"static member", &Member{Image: []byte("i"), UID: MemberUID85, Static: true}, nil},
		{"static member of another", &Member{Image: []byte("i"), UID: 5, Static: true}, nil},
		{"stop", &MemberMessage{Type: MemberStop, Member: &Member{Image: []byte("i"), UID: 1}, MembershipID: []byte("m")}, nil},
		{"ping, static", &MemberMessage{Type: MemberPing, Member: &Member{Image: image, UID: 1, Static: true}}, nil},
		{"message of nothing", &MemberMessage{Type: -1}, nil},
		{"message of an empty id", &MemberMessage{MembershipID: []byte{}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Typed(mustDecode(t, mustAppend(t, tt.in)))
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == nil {
				want = tt.in
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("Typed = %+v, want %+v", got, want)
			}
		})
	}
}

// TestMemberClasses: the serialVersionUIDs as they stand in a stream.
func TestMemberClasses(t *testing.T) {
	tests := []struct {
		name   string
		member Member
		class  string
		uid    uint64
		super  uint64 // 0: none
	}{
		{"default", Member{}, nameMemberImpl, 0x8476f37b32953667, 0},
		{"10.1", Member{UID: MemberUID101}, nameMemberImpl, 0x8476f37b32953667, 0},
		{"10.0", Member{UID: MemberUID100}, nameMemberImpl, 0x535528fd049659fe, 0},
		{"8.5 and 9.0", Member{UID: MemberUID85}, nameMemberImpl, 0x2e21087915506d1c, 0},
		{"static", Member{Static: true}, nameStaticMember, 0xa32603887eb6b8a1, 0x8476f37b32953667},
		{"static 9.0", Member{UID: MemberUID85, Static: true}, nameStaticMember, 0xa32603887eb6b8a1, 0x2e21087915506d1c},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := mustAppend(t, &tt.member)
			c := as[*Object](t, mustDecode(t, raw)).Class
			if c.Name != tt.class || uint64(c.UID) != tt.uid || c.Flags != 0x0c {
				t.Errorf("class %s, %#x, flags %#x", c.Name, uint64(c.UID), c.Flags)
			}
			if !bytes.Contains(raw, binary.BigEndian.AppendUint64(nil, tt.uid)) {
				t.Errorf("no %#x in %x", tt.uid, raw)
			}
			if (c.Super != nil) != (tt.super != 0) || c.Super != nil && uint64(c.Super.UID) != tt.super {
				t.Errorf("super class = %+v, want UID %#x", c.Super, tt.super)
			}
		})
	}
}

// TestTypedForeign: what is not of Tribes stays what it is.
func TestTypedForeign(t *testing.T) {
	for _, v := range []Value{nil, NewString("a"), Block("b"), &Object{Class: plainClass}, &Array{Class: plainClass}} {
		if got, err := Typed(v); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("Typed(%v) = %v, %v", v, got, err)
		}
	}
}

// TestTypedMisfit: an object with a known class and other data is an error at
// the object.
func TestTypedMisfit(t *testing.T) {
	// In each input the object stands inside of another one.
	before := "73" + desc("W", "0c", "0000")
	external := func(name, data string) string { return "73" + desc(name, "0c", "0000") + data + "78" }
	message := func(fields, values string) string { return "73" + desc(nameMemberMessage, "02", fields) + values }
	kind := "49" + java("msgtype")
	member := "4c" + java("member") + "74" + java("LM;")
	id := "5b" + java("membershipId") + "74" + java("[B")
	tests := []struct {
		name   string
		in     string
		reason string
	}{
		{"bytes, not external", "73" + desc(nameByteMessage, "02", "0000"), "not externalizable"},
		{"bytes, no data", external(nameByteMessage, ""), "no data"},
		{"bytes, an object first", external(nameByteMessage, "70"), "does not begin with block data"},
		{"bytes, no length", external(nameByteMessage, "7703000000"), "ends inside the length"},
		{"bytes, too long", external(nameByteMessage, "77050000000261"), "ends inside its bytes"},
		{"bytes, negative", external(nameByteMessage, "7704ffffffff"), "negative length -1"},
		{"member, no data", external(nameMemberImpl, ""), "no data"},
		{"static member, no super class", external(nameStaticMember, "770400000000"), "without its super class"},
		{"message, nothing", message("0000", ""), "no int msgtype"},
		{"message, type of another type", message("0001"+"4a"+java("msgtype"), "0000000000000001"), "no int msgtype"},
		{"message, member a string", message("0002"+kind+member, "00000001"+"740000"), "member of another class"},
		{"message, member itself", message("0002"+kind+member, "00000001"+"71007e0004"), "member of another class"},
		{"message, broken member", message("0002"+kind+member, "00000001"+external(nameMemberImpl, "")), "MemberImpl: no data"},
		{"message, id a string", message("0002"+kind+id, "00000001"+"740000"), "membershipId is no array"},
		{"message, id of ints", message("0002"+kind+id, "00000001"+"75"+desc("[I", "02", "0000")+"00000000"), "no byte array"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := stream(t, before+tt.in+"78")
			offset := len(streamHeader) + len(before)/2
			if tt.name == "message, broken member" { // the inner one is to blame
				offset = bytes.Index(in, []byte("\x73\x72\x00\x30"+nameMemberImpl))
			}
			outer := as[*Object](t, mustDecode(t, in))
			_, err := Typed(outer.Data[0].Extra[0])
			checkFormatError(t, err, offset, tt.reason)
		})
	}
}

// TestTypedTolerant: other serialVersionUIDs and data that a later release may
// add are no reason to refuse, as in Java.
func TestTypedTolerant(t *testing.T) {
	in := stream(t, "73"+desc(nameByteMessage, "0c", "0000")+"7706000000016162"+"740000"+"78")
	v, err := Typed(mustDecode(t, in))
	if err != nil {
		t.Fatal(err)
	}
	if got := as[*ByteMessage](t, v).Data; string(got) != "a" {
		t.Errorf("Data = %q, want a", got)
	}
}

func TestDecodeMemberMessageErrors(t *testing.T) {
	_, err := DecodeMemberMessage(named(t, "obj-bytemessage").raw, Limits{})
	checkFormatError(t, err, 4, "not a member message")
	_, err = DecodeMemberMessage(stream(t, "70"), Limits{})
	checkFormatError(t, err, 4, "not a member message")
	_, err = DecodeMemberMessage(nil, Limits{})
	checkFormatError(t, err, 0, "ends inside the stream header")
	_, err = DecodeMemberMessage(stream(t, "73"+desc(nameMemberMessage, "02", "0000")), Limits{})
	checkFormatError(t, err, 4, "no int msgtype")
}

// TestIsMemberMessage: the prefixes do not take each other's streams.
func TestIsMemberMessage(t *testing.T) {
	for _, v := range vectors(t) {
		if got, want := IsMemberMessage(v.raw), v.Name == "obj-member-message-start"; got != want {
			t.Errorf("IsMemberMessage(%s) = %v, want %v", v.Name, got, want)
		}
	}
	inRPC, err := AppendRPC(nil, &RPC{Message: &MemberMessage{Type: MemberStart}})
	if err != nil {
		t.Fatal(err)
	}
	if IsMemberMessage(inRPC) || !IsRPC(inRPC) || IsMemberMessage(nil) {
		t.Error("a member message in an RPC is taken for one of its own")
	}
}
