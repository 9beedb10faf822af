package javaser

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

var (
	testUUID = []byte("0123456789abcdef")
	testID   = []byte("myRpc")
)

func TestIsRPC(t *testing.T) {
	for _, v := range vectors(t) {
		want := bytes.HasPrefix([]byte(v.Name), []byte("obj-rpc")) || v.Name == "obj-no-rpc-channel-reply"
		if got := IsRPC(v.raw); got != want {
			t.Errorf("IsRPC(%s) = %v, want %v", v.Name, got, want)
		}
		if want && (IsRPC(v.raw[:40]) || IsRPC(v.raw[1:])) {
			t.Errorf("IsRPC of a part of %s", v.Name)
		}
	}
	if IsRPC(nil) || IsRPC([]byte("hi")) {
		t.Error("IsRPC takes other bytes")
	}
}

// TestRPCRoundTrip: all messages, at sizes around Java's cut.
func TestRPCRoundTrip(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 400)
	member := &Member{Image: big[:77], UID: MemberUID85}
	list := []Value{
		nil,
		NewString("ping?"),
		member,
		&MemberMessage{Type: MemberStart, Member: member, MembershipID: []byte("x-StaticMembership")},
		&MemberMessage{Type: MemberPing, Member: &Member{Image: big, UID: MemberUID101, Static: true}},
	}
	for _, n := range []int{0, 1, 251, 252, 1019, 1020, 1021, 2044, 2045, 4000} {
		list = append(list, &ByteMessage{Data: big[:n]})
	}
	for _, msg := range list {
		for _, id := range [][]byte{testID, {}, big[:300], big[:1500]} {
			want := &RPC{Reply: len(id)%2 == 0, UUID: testUUID, ID: id, Message: msg}
			raw, err := AppendRPC(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeRPC(raw, Limits{})
			if err != nil {
				t.Fatalf("DecodeRPC(%x): %v", raw, err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("DecodeRPC = %+v, want %+v", got, want)
			}
			checkSame(t, "Append", mustAppend(t, want), raw)
			checkLongWay(t, raw)
		}
	}
}

// checkLongWay wants the short way and the tree to agree on an input, both on
// whether it is good and on what it says.
func checkLongWay(t testing.TB, b []byte) {
	t.Helper()
	short, ok := shortRPC(b, Limits{})
	if !ok {
		return
	}
	v, err := decodeTyped(b, Limits{})
	if err != nil {
		t.Fatalf("the long way on %x: %v", b, err)
	}
	if long := as[*RPC](t, v); !reflect.DeepEqual(short, long) {
		t.Errorf("the short way gives %+v, the long way %+v", short, long)
	}
}

// TestAppendRPCBytes: up to Java's cut the bytes are Java's, and beyond it they
// decode to the same without a copy.
func TestAppendRPCBytes(t *testing.T) {
	for _, n := range []int{0, 4, 251, 252, 1020, 1021, 100000} {
		payload := bytes.Repeat([]byte{'p'}, n)
		want := &RPC{Reply: true, UUID: testUUID, ID: testID, Message: &ByteMessage{Data: payload}}
		got := AppendRPCBytes([]byte("x"), true, testUUID, testID, payload)
		exact, err := AppendRPC([]byte("x"), want)
		if err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(got, exact); same != (n <= 1020) {
			t.Errorf("payload of %d: same bytes as AppendRPC = %v", n, same)
		}
		r, err := DecodeRPC(got[1:], Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r, want) {
			t.Errorf("payload of %d: DecodeRPC = %+v", n, r)
		}
		if data := r.Message.(*ByteMessage).Data; n > 0 && &data[0] != &got[len(got)-2-n] {
			t.Errorf("payload of %d: Data does not alias the input", n)
		}
		checkLongWay(t, got[1:])
	}
}

// TestShortRPC: what Java writes takes the short way, what deviates does not,
// and the verdict is the same.
func TestShortRPC(t *testing.T) {
	ok := AppendRPCBytes(nil, false, testUUID, testID, []byte("abc"))
	tests := []struct {
		name  string
		in    []byte
		lim   Limits
		short bool
		good  bool
	}{
		{"as written", ok, Limits{}, true, true},
		{"null", named(t, "obj-rpc-reply-null").raw, Limits{}, true, true},
		{"a string", named(t, "obj-rpc-request-string").raw, Limits{}, false, true},
		{"no channel", named(t, "obj-no-rpc-channel-reply").raw, Limits{}, false, true},
		{"another UID", bytes.Replace(ok, []byte("\x71\x2a\x75\x0f"), []byte("\x71\x2a\x75\x0e"), 1), Limits{}, false, true},
		{"another UID inside", bytes.Replace(ok, []byte("\x7f\x57\x97"), []byte("\x7f\x57\x96"), 1), Limits{}, false, true},
		{"more block data", bytes.Replace(ok, []byte("\x77\x07\x00\x00\x00\x03abc"), []byte("\x77\x08\x00\x00\x00\x03abcd"), 1), Limits{}, false, true},
		{"less block data", bytes.Replace(ok, []byte("\x00\x00\x00\x03abc"), []byte("\x00\x00\x00\x04abc"), 1), Limits{}, false, false},
		{"trailing byte", append(bytes.Clone(ok), 0), Limits{}, false, false},
		{"reset in it", bytes.Replace(ok, []byte("\x77\x07"), []byte("\x79\x77\x07"), 1), Limits{}, false, false},
		{"reset after a block", append(bytes.Clone(ok[:len(ok)-2]), 0x79, 0x78, 0x78), Limits{}, false, false},
		{"cut", ok[:len(ok)-1], Limits{}, false, false},
		{"little depth", ok, Limits{Depth: 4}, false, true},
		{"too little depth", ok, Limits{Depth: 2}, false, false},
		{"too few values", ok, Limits{Values: 9}, false, false},
		{"just no blocks", ok, Limits{Values: 16}, false, true},
		{"too few handles", ok, Limits{Handles: 3}, false, false},
		{"too few bytes", ok, Limits{Bytes: len(ok) - 1}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := shortRPC(tt.in, tt.lim); got != tt.short {
				t.Errorf("shortRPC = %v, want %v", got, tt.short)
			}
			r, err := DecodeRPC(tt.in, tt.lim)
			if (err == nil) != tt.good {
				t.Fatalf("DecodeRPC = %v, want good %v", err, tt.good)
			}
			if err == nil && (r.Reply != (r.Message == nil) && tt.name == "as written" || len(r.UUID) != 16) {
				t.Errorf("DecodeRPC = %+v", r)
			}
		})
	}
}

func TestDecodeRPCErrors(t *testing.T) {
	head := "73" + desc(nameRPC, "0c", "0000")
	tests := []struct {
		name   string
		in     string
		offset int
		reason string
	}{
		{"another object", "740000", 4, "not an RPC"},
		{"null", "70", 4, "not an RPC"},
		{"no data", head + "78", 4, "no data"},
		{"an object first", head + "7078", 4, "does not begin with block data"},
		{"no uuid", head + "770101" + "78", 4, "ends inside the length of the uuid"},
		{"long uuid", head + "7706" + "01" + "00000002" + "61" + "78", 4, "ends inside the uuid"},
		{"negative id", head + "7709" + "01" + "00000000" + "ffffffff" + "78", 4, "negative length -1 of the rpc id"},
		{"no message", head + "7709" + "01" + "00000000" + "00000000" + "78", 4, "no message"},
		{"broken message", head + "7709" + "01" + "00000000" + "00000000" + "73" + desc(nameByteMessage, "02", "0000") + "78",
			75, "ByteMessage: not externalizable"},
		{"no channel, no data", "73" + desc(nameNoRPC, "0c", "0000") + "78", 4, "no data"},
		{"fields", "73" + desc(nameRPC, "02", "0000"), 4, "not externalizable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeRPC(stream(t, tt.in), Limits{})
			checkFormatError(t, err, tt.offset, tt.reason)
		})
	}
}

// TestRPCInRPC: an RPC as the message of an RPC stays a tree, also if it is the
// outer one, so that there is an end.
func TestRPCInRPC(t *testing.T) {
	in := stream(t, "73"+desc(nameRPC, "0c", "0000")+"7709"+"01"+"00000000"+"00000000"+"71007e0001"+"78")
	r, err := DecodeRPC(in, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	inner := as[*Object](t, r.Message)
	if inner.Data[0].Extra[1] != Value(inner) {
		t.Error("the message is not the RPC itself")
	}
	raw, err := AppendRPC(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeRPC(raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if inner := as[*Object](t, again.Message); inner.Data[0].Extra[1] != Value(inner) {
		t.Error("the cycle is gone")
	}
}

// TestAppendRPCMovesTrees: a tree of one stream fits into another, although all
// its handles change.
func TestAppendRPCMovesTrees(t *testing.T) {
	tree := mustDecode(t, named(t, "obj-map-proxy-two-nodes").raw)
	raw, err := AppendRPC(nil, &RPC{UUID: testUUID, ID: testID, Message: tree})
	if err != nil {
		t.Fatal(err)
	}
	r, err := DecodeRPC(raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "the message, taken out again", mustAppend(t, r.Message), named(t, "obj-map-proxy-two-nodes").raw)
}

func TestAppendRPCErrors(t *testing.T) {
	for _, r := range []*RPC{
		{Message: Int(1)},
		{NoChannel: true, Message: NewString("a")},
		{NoChannel: true, Message: &ByteMessage{}},
	} {
		got, err := AppendRPC([]byte("before"), r)
		var e *ValueError
		if !errors.As(err, &e) || string(got) != "before" {
			t.Errorf("AppendRPC(%+v) = %q, %v, want a *ValueError", r, got, err)
		}
	}
}

// TestRPCAllocs pins what an RPC of plain bytes costs.
func TestRPCAllocs(t *testing.T) {
	payload := make([]byte, 4096)
	dst := make([]byte, 0, 8192)
	if n := testing.AllocsPerRun(100, func() { dst = AppendRPCBytes(dst[:0], true, testUUID, testID, payload) }); n != 0 {
		t.Errorf("AppendRPCBytes allocates %v times, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := DecodeRPC(dst, Limits{}); err != nil {
			t.Error(err)
		}
	}); n > 2 {
		t.Errorf("DecodeRPC allocates %v times, want the RPC and its message", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if !IsRPC(dst) || IsMemberMessage(dst) {
			t.Error("not an RPC")
		}
	}); n != 0 {
		t.Errorf("IsRPC allocates %v times, want 0", n)
	}
}
