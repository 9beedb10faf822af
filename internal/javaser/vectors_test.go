package javaser

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestVectorsRoundTrip: a tree of what Java wrote gives what Java wrote, with
// all references, whatever the class.
func TestVectorsRoundTrip(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			checkSame(t, "Append(Decode)", mustAppend(t, mustDecode(t, v.raw)), v.raw)
			list, err := DecodeStream(v.raw, Limits{})
			if err != nil || len(list) != 1 {
				t.Fatalf("DecodeStream = %d values, %v, want 1", len(list), err)
			}
			again, err := AppendStream([]byte("x"), list)
			if err != nil {
				t.Fatal(err)
			}
			checkSame(t, "AppendStream(DecodeStream)", again, append([]byte("x"), v.raw...))
		})
	}
}

// TestVectorsTyped: the typed objects give what Java wrote.
func TestVectorsTyped(t *testing.T) {
	tests := []struct {
		name string
		kind string
	}{
		{"obj-bytemessage", "bytes"},
		{"obj-bytemessage-long", "bytes"},
		{"obj-rpc-request-string", "rpc"},
		{"obj-rpc-reply-bytemessage", "rpc"},
		{"obj-rpc-reply-null", "rpc"},
		{"obj-no-rpc-channel-reply", "rpc"},
		{"obj-rpc-map-state-copy-reply", "rpc"},
		{"obj-member-message-start", "member message"},
		{"obj-member-with-payload", "member"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := named(t, tt.name).raw
			v, err := Typed(mustDecode(t, raw))
			if err != nil {
				t.Fatal(err)
			}
			kind := "tree"
			switch v.(type) {
			case *ByteMessage:
				kind = "bytes"
			case *RPC:
				kind = "rpc"
			case *MemberMessage:
				kind = "member message"
			case *Member:
				kind = "member"
			}
			if kind != tt.kind {
				t.Fatalf("Typed gives %T", v)
			}
			checkSame(t, "Append(Typed)", mustAppend(t, v), raw)
		})
	}
}

func TestVectorsByteMessage(t *testing.T) {
	for name, field := range map[string]string{"obj-bytemessage": "message", "obj-bytemessage-long": "messageBytes"} {
		t.Run(name, func(t *testing.T) {
			vec := named(t, name)
			v, err := Typed(mustDecode(t, vec.raw))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := as[*ByteMessage](t, v).Data, vec.hex(t, field); !bytes.Equal(got, want) {
				t.Errorf("Data = %x, want %x", got, want)
			}
		})
	}
}

func TestVectorsRPC(t *testing.T) {
	tests := []struct {
		name      string
		reply     bool
		noChannel bool
	}{
		{"obj-rpc-request-string", false, false},
		{"obj-rpc-reply-bytemessage", true, false},
		{"obj-rpc-reply-null", true, false},
		{"obj-no-rpc-channel-reply", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vec := named(t, tt.name)
			if !IsRPC(vec.raw) {
				t.Error("IsRPC = false")
			}
			r, err := DecodeRPC(vec.raw, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Reply != tt.reply || r.NoChannel != tt.noChannel {
				t.Errorf("Reply, NoChannel = %v, %v, want %v, %v", r.Reply, r.NoChannel, tt.reply, tt.noChannel)
			}
			if !bytes.Equal(r.UUID, vec.hex(t, "uuid")) || !bytes.Equal(r.ID, vec.hex(t, "rpcId")) {
				t.Errorf("UUID, ID = %x, %x", r.UUID, r.ID)
			}
			checkVectorMessage(t, vec, r.Message)
			again, err := AppendRPC([]byte("x"), r)
			if err != nil {
				t.Fatal(err)
			}
			checkSame(t, "AppendRPC", again, append([]byte("x"), vec.raw...))
		})
	}
}

func checkVectorMessage(t *testing.T, vec vector, msg Value) {
	t.Helper()
	switch {
	case vec.Fields["messageString"] != nil:
		if got, want := as[*String](t, msg).String(), vec.str(t, "messageString"); got != want {
			t.Errorf("Message = %q, want %q", got, want)
		}
	case vec.Fields["messageBytes"] != nil:
		if got, want := as[*ByteMessage](t, msg).Data, vec.hex(t, "messageBytes"); !bytes.Equal(got, want) {
			t.Errorf("Message = %x, want %x", got, want)
		}
	default:
		if msg != nil {
			t.Errorf("Message = %v, want nil", msg)
		}
	}
}

// checkImage compares the parts of a member image that show that it is the
// right one, whole and in place.
func checkImage(t *testing.T, image []byte, fields json.RawMessage) {
	t.Helper()
	want := parse[struct {
		DataLength int    `json:"dataLength"`
		Host       string `json:"host"`
		UniqueID   string `json:"uniqueId"`
		Payload    string `json:"payload"`
	}](t, fields)
	if len(image) != want.DataLength {
		t.Fatalf("image of %d bytes, want %d", len(image), want.DataLength)
	}
	if !bytes.HasPrefix(image, []byte("TRIBES-B\x01\x00")) || !bytes.HasSuffix(image, []byte("TRIBES-E\x01\x00")) {
		t.Errorf("image %x is not between its marks", image)
	}
	for _, part := range []string{want.Host, want.UniqueID, want.Payload} {
		if !bytes.Contains(image, unhex(t, part)) {
			t.Errorf("image %x does not hold %s", image, part)
		}
	}
}

func TestVectorMember(t *testing.T) {
	vec := named(t, "obj-member-with-payload")
	v, err := Typed(mustDecode(t, vec.raw))
	if err != nil {
		t.Fatal(err)
	}
	m := as[*Member](t, v)
	if m.UID != MemberUID101 || m.Static {
		t.Errorf("UID, Static = %d, %v", m.UID, m.Static)
	}
	checkImage(t, m.Image, vec.Fields["member"])
}

func TestVectorMemberMessage(t *testing.T) {
	vec := named(t, "obj-member-message-start")
	if !IsMemberMessage(vec.raw) {
		t.Error("IsMemberMessage = false")
	}
	m, err := DecodeMemberMessage(vec.raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Type, parse[int32](t, vec.Fields["msgtype"]); got != want || got != MemberStart {
		t.Errorf("Type = %d, want %d", got, want)
	}
	if got, want := string(m.MembershipID), vec.str(t, "membershipId"); got != want {
		t.Errorf("MembershipID = %q, want %q", got, want)
	}
	checkImage(t, m.Member.Image, vec.Fields["member"])
}
