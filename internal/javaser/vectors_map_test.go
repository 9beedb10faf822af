package javaser

import (
	"bytes"
	"encoding/json"
	"testing"
)

const (
	nameMap   = "org.apache.catalina.tribes.tipis.AbstractReplicatedMap$MapMessage"
	nameState = "org.apache.catalina.tribes.tipis.AbstractReplicatedMap$State"
)

// mapBytes returns the content of a field that is a byte array, nil for null.
func mapBytes(t testing.TB, o *Object, name string) []byte {
	t.Helper()
	v, ok := o.Field(name)
	if !ok {
		t.Fatalf("no field %q", name)
	}
	if v == nil {
		return nil
	}
	b, ok := as[*Array](t, v).Bytes()
	if !ok {
		t.Fatalf("field %q is no byte array", name)
	}
	return b
}

// TestVectorsMap: the generic tree holds all that a map message says, and what
// is nested in it are streams of their own.
func TestVectorsMap(t *testing.T) {
	names := []string{
		"obj-map-init", "obj-map-backup", "obj-map-proxy-two-nodes",
		"obj-map-diff", "obj-map-remove", "obj-map-ping-reply",
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			vec := named(t, name)
			o := as[*Object](t, mustDecode(t, vec.raw))
			if o.Class.Name != nameMap || o.Class.UID != 1 || o.Class.Flags != FlagSerializable || len(o.Class.Fields) != 8 {
				t.Fatalf("class = %+v", o.Class)
			}
			if got, want := int32(field[Int](t, o, "msgtype")), parse[int32](t, vec.Fields["msgtype"]); got != want {
				t.Errorf("msgtype = %d, want %d", got, want)
			}
			if got, want := string(mapBytes(t, o, "mapId")), vec.str(t, "mapId"); got != want {
				t.Errorf("mapId = %q, want %q", got, want)
			}
			if got, want := bool(field[Bool](t, o, "diff")), vec.Fields["diff"] != nil; got != want {
				t.Errorf("diff = %v, want %v", got, want)
			}
			if vec.Fields["diffvalue"] != nil && !bytes.Equal(mapBytes(t, o, "diffvalue"), vec.hex(t, "diffvalue")) {
				t.Errorf("diffvalue = %x", mapBytes(t, o, "diffvalue"))
			}
			checkMapNested(t, o, vec)
			checkMapMembers(t, o, vec)
		})
	}
}

func checkMapNested(t *testing.T, o *Object, vec vector) {
	t.Helper()
	for name, field := range map[string]string{"key": "keydata", "value": "valuedata"} {
		if vec.Fields[name] == nil {
			continue
		}
		s := as[*String](t, mustDecode(t, mapBytes(t, o, field)))
		if got, want := s.String(), vec.str(t, name); got != want {
			t.Errorf("%s = %q, want %q", field, got, want)
		}
	}
	if vec.Fields["valueEnum"] == nil {
		return
	}
	e := as[*Enum](t, mustDecode(t, mapBytes(t, o, "valuedata")))
	if e.Class.Name != nameState || e.Class.Super.Name != "java.lang.Enum" || e.Name.String() != vec.str(t, "valueEnum") {
		t.Errorf("valuedata = %s of %+v", e.Name, e.Class)
	}
}

func checkMapMembers(t *testing.T, o *Object, vec vector) {
	t.Helper()
	if vec.Fields["primary"] != nil {
		checkImage(t, mapMember(t, field[*Object](t, o, "primary")).Image, vec.Fields["primary"])
	}
	if vec.Fields["nodes"] == nil {
		return
	}
	want := parse[[]json.RawMessage](t, vec.Fields["nodes"])
	nodes := field[*Array](t, o, "nodes")
	if nodes.Len() != len(want) {
		t.Fatalf("%d nodes, want %d", nodes.Len(), len(want))
	}
	for i, n := range nodes.Elems {
		checkImage(t, mapMember(t, n).Image, want[i])
	}
	if vec.Name == "obj-map-proxy-two-nodes" && nodes.Elems[0] != Value(field[*Object](t, o, "primary")) {
		t.Error("the primary is not the same object as the first node")
	}
}

func mapMember(t *testing.T, v Value) *Member {
	t.Helper()
	v, err := Typed(v)
	if err != nil {
		t.Fatal(err)
	}
	return as[*Member](t, v)
}

// TestVectorStateCopy: three streams inside of each other, an ArrayList with
// data of its own, and boxed numbers.
func TestVectorStateCopy(t *testing.T) {
	vec := named(t, "obj-rpc-map-state-copy-reply")
	r, err := DecodeRPC(vec.raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Reply || string(r.ID) != "ctx" {
		t.Errorf("Reply, ID = %v, %q", r.Reply, r.ID)
	}
	list := as[*Object](t, mustDecode(t, mapBytes(t, as[*Object](t, r.Message), "valuedata")))
	if list.Class.Name != "java.util.ArrayList" || list.Class.Flags != FlagSerializable|FlagWriteMethod || field[Int](t, list, "size") != 2 {
		t.Fatalf("list = %+v", list)
	}
	extra := list.Data[0].Extra
	if len(extra) != 3 || !bytes.Equal(as[Block](t, extra[0]), []byte{0, 0, 0, 2}) {
		t.Fatalf("list writes %v", extra)
	}
	first, second := as[*Object](t, extra[1]), as[*Object](t, extra[2])
	if first.Class != second.Class {
		t.Error("two messages of one class do not share its description")
	}
	for i, o := range []*Object{first, second} {
		key := as[*String](t, mustDecode(t, mapBytes(t, o, "keydata"))).String()
		value := mustDecode(t, mapBytes(t, o, "valuedata"))
		if want := []string{"k1", "k2"}[i]; key != want || field[Int](t, o, "msgtype") != 9 {
			t.Errorf("entry %d = %q, want %q", i, key, want)
		}
		if i == 0 && as[*String](t, value).String() != "v1" {
			t.Errorf("value = %v", value)
		}
		if i == 1 && (field[Int](t, as[*Object](t, value), "value") != 42 || len(as[*Object](t, value).Data) != 2) {
			t.Errorf("value = %+v", value)
		}
	}
	// The message is a tree of a stream in which other handles came before
	// it. Written into a new RPC all its references still fit.
	again, err := AppendRPC(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "AppendRPC(DecodeRPC)", again, vec.raw)
}
