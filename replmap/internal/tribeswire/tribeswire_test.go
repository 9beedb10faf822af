package tribeswire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
)

// vectors returns the messages of maps that a real node has made.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, v := range golden.Read[struct {
		Name string
		Hex  golden.Hex
	}](t, "objects.json") {
		if strings.Contains(v.Name, "-map-") {
			all[v.Name] = v.Hex
		}
	}
	if len(all) < 7 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

func text(t *testing.T, stream []byte) string {
	t.Helper()
	v, err := javaser.Decode(stream, javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s, ok := v.(*javaser.String)
	if !ok {
		t.Fatalf("%T, want a string", v)
	}
	return s.String()
}

// What a real node has written is read as what it is, and written again in as many bytes:
// alive times differ.
func TestVectors(t *testing.T) {
	for name, b := range vectors(t) {
		if !Is(b) {
			if !strings.Contains(name, "rpc") {
				t.Errorf("%s is not taken for a message of a map", name)
			}
			continue
		}
		m, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(m.Map) != "ctx" {
			t.Errorf("%s: map %q", name, m.Map)
		}
		again, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) != len(b) {
			t.Errorf("%s is written as %d bytes, was %d", name, len(again), len(b))
		}
		back, err := Decode(again)
		if err != nil || !sameMessage(back, m) {
			t.Errorf("%s: %+v, %v; want %+v", name, back, err, m)
		}
	}
	backup, err := Decode(vectors(t)["obj-map-backup"])
	if err != nil || backup.Type != Backup || text(t, backup.Key) != "k1" || text(t, backup.Value) != "v1" || backup.Primary.Port() != 4001 || len(backup.Nodes) != 1 || backup.Nodes[0].Port() != 4002 {
		t.Errorf("backup: %+v, %v", backup, err)
	}
	diff, err := Decode(vectors(t)["obj-map-diff"])
	if err != nil || !diff.Diff || len(diff.DiffValue) != 20 || diff.Value != nil {
		t.Errorf("diff: %+v, %v", diff, err)
	}
	ping, err := Decode(vectors(t)["obj-map-ping-reply"])
	if err != nil || ping.Type != Ping {
		t.Fatalf("ping: %+v, %v", ping, err)
	}
	if s, err := StateOf(ping.Value); s != Initialized || err != nil {
		t.Errorf("state %q, %v", s, err)
	}
	if b, err := StateValue(Initialized); err != nil || !bytes.Equal(b, ping.Value) {
		t.Errorf("state is written as %x, %v; want %x", b, err, ping.Value)
	}
}

// sameMessage compares all but the alive times of members.
func sameMessage(a, b *Message) bool {
	key := func(m *membership.Member) membership.Key {
		if m == nil {
			return membership.Key{}
		}
		return m.Key()
	}
	same := func(a, b *membership.Member) bool { return key(a) == key(b) }
	x, y := *a, *b
	x.Primary, x.Nodes, y.Primary, y.Nodes = nil, nil, nil, nil
	return reflect.DeepEqual(x, y) && same(a.Primary, b.Primary) && slices.EqualFunc(a.Nodes, b.Nodes, same) && (a.Nodes == nil) == (b.Nodes == nil)
}

// A state transfer of a real node, in the answer of a remote call.
func TestStateCopy(t *testing.T) {
	call, err := javaser.DecodeRPC(vectors(t)["obj-rpc-map-state-copy-reply"], javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Of(call.Message)
	if err != nil || m.Type != StateCopy {
		t.Fatalf("%+v, %v", m, err)
	}
	all, others, err := ListOf(m.Value)
	if err != nil || others != 0 || len(all) != 2 || all[0].Type != Copy || text(t, all[0].Key) != "k1" || text(t, all[1].Key) != "k2" {
		t.Fatalf("%+v, %d, %v", all, others, err)
	}
	b, err := ListValue(all)
	if err != nil {
		t.Fatal(err)
	}
	again, others, err := ListOf(b)
	if err != nil || others != 0 || !slices.EqualFunc(again, all, sameMessage) {
		t.Errorf("%+v, %d, %v", again, others, err)
	}
	if empty, err := ListValue(nil); err != nil {
		t.Error(err)
	} else if all, _, err := ListOf(empty); len(all) != 0 || err != nil {
		t.Errorf("empty list: %v, %v", all, err)
	}
}

// Objects that are something else, or have parts that are.
func TestRefused(t *testing.T) {
	field := func(name string, v javaser.Value) *javaser.Object {
		o := (&Message{Type: Copy, Map: []byte("m")}).Object()
		for i, f := range o.Class.Fields {
			if f.Name == name {
				o.Data[0].Fields[i] = v
			}
		}
		return o
	}
	tests := map[string]javaser.Value{
		"null":          nil,
		"string":        javaser.NewString("x"),
		"no type":       &javaser.Object{Class: &javaser.Class{Name: className}},
		"key is text":   field("keydata", javaser.NewString("x")),
		"key of shorts": field("keydata", &javaser.Array{Class: &javaser.Class{Name: "[S"}, Raw: []byte{0, 1}}),
		"primary":       field("primary", javaser.NewString("x")),
		"image":         field("primary", &javaser.Member{Image: []byte("x")}),
		"nodes":         field("nodes", javaser.NewString("x")),
		"node":          field("nodes", &javaser.Array{Class: classNodes, Elems: []javaser.Value{javaser.NewString("x")}}),
	}
	for name, v := range tests {
		if m, err := Of(v); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := StateOf([]byte("\xac\xed\x00\x05\x70")); !errors.Is(err, ErrMessage) {
		t.Errorf("null is a state: %v", err)
	}
	if _, _, err := ListOf([]byte("\xac\xed\x00\x05\x70")); !errors.Is(err, ErrMessage) {
		t.Errorf("null is a list: %v", err)
	}
}

// FuzzDecode: any input is refused or gives a message that is written and read again as
// the same.
func FuzzDecode(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		if _, _, err := ListOf(b); err == nil && Is(b) {
			t.Fatal("a message is a list")
		}
		if _, err := StateOf(b); err == nil && Is(b) {
			t.Fatal("a message is a state")
		}
		m, err := Decode(b)
		if !bytes.Equal(in, b) {
			t.Fatal("the input has changed")
		}
		if err != nil {
			return
		}
		again, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil || !sameMessage(back, m) {
			t.Fatalf("%+v comes back as %+v, %v", m, back, err)
		}
	})
}
