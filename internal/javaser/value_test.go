package javaser

import (
	"math"
	"reflect"
	"sync"
	"testing"
)

// everything returns a tree with each kind of value in it.
func everything() *Object {
	str := NewString("LO;")
	super := &Class{Name: "Super", UID: -1, Flags: FlagSerializable, Fields: []Field{
		{Type: 'B', Name: "b"}, {Type: 'C', Name: "c"}, {Type: 'D', Name: "d"}, {Type: 'F', Name: "f"},
		{Type: 'I', Name: "i"}, {Type: 'J', Name: "j"}, {Type: 'S', Name: "s"}, {Type: 'Z', Name: "z"},
		{Type: 'L', Name: "o", Signature: str}, {Type: '[', Name: "a", Signature: NewString("[B")},
	}}
	class := &Class{
		Name: "Sub", UID: 1, Flags: FlagSerializable | FlagWriteMethod, Super: super,
		Fields:      []Field{{Type: 'L', Name: "o", Signature: str}},
		Annotations: []Value{Block("note"), str},
	}
	enum := &Class{Name: "E", Flags: FlagSerializable | FlagEnum}
	proxy := &Class{Proxy: true, Flags: FlagSerializable, Interfaces: []string{"a.A", "b.B"}}
	return &Object{Class: class, Data: []ClassData{
		{Class: super, Fields: []Value{
			Byte(-128), Char(0xffff), Double(math.Pi), Float(-0.5), Int(math.MinInt32), Long(math.MaxInt64), Short(-1), Bool(true),
			nil, &Array{Class: &Class{Name: "[B", Flags: FlagSerializable}, Raw: []byte{1, 2}},
		}},
		{Class: class, Fields: []Value{str}, Extra: []Value{
			Block("bytes"),
			&Enum{Class: enum, Name: NewString("A")},
			&ClassLiteral{Class: enum},
			enum,
			Block("more"),
			&Object{Class: proxy, Data: []ClassData{{Class: proxy}}},
			&Array{Class: &Class{Name: "[[D", Flags: FlagSerializable}, Elems: []Value{
				&Array{Class: &Class{Name: "[D", Flags: FlagSerializable}, Raw: make([]byte, 16)}, nil,
			}},
			nil,
		}},
	}}
}

// forget clears the offsets of the objects of a tree, which a made tree has not.
func forget(v Value) {
	switch v := v.(type) {
	case *Object:
		v.at = 0
		for _, d := range v.Data {
			for _, x := range append(append([]Value{}, d.Fields...), d.Extra...) {
				forget(x)
			}
		}
	case *Array:
		for _, x := range v.Elems {
			forget(x)
		}
	}
}

// TestMadeTree: a tree of all kinds comes back equal.
func TestMadeTree(t *testing.T) {
	want := everything()
	raw := mustAppend(t, want)
	got := mustDecode(t, raw)
	forget(got)
	if !reflect.DeepEqual(got, Value(want)) {
		t.Errorf("Decode(Append) = %+v, want %+v", got, want)
	}
	checkSame(t, "Append(Decode(Append))", mustAppend(t, got), raw)
	decodeAll(t, raw, Limits{})
}

// TestFloatBits: not-a-number keeps its bits.
func TestFloatBits(t *testing.T) {
	for _, bits := range []string{"7fc00000" + "7ff8000000000000", "ffc12345" + "fff8000000012345", "80000000" + "8000000000000000"} {
		raw := stream(t, "73"+desc("C", "02", "0002"+"46"+java("f")+"44"+java("d"))+bits)
		checkSame(t, "Append(Decode)", mustAppend(t, mustDecode(t, raw)), raw)
	}
}

func TestObjectField(t *testing.T) {
	o := everything()
	tests := []struct {
		name string
		want Value
		ok   bool
	}{
		{"i", Int(math.MinInt32), true},
		{"o", o.Data[1].Fields[0], true}, // that of the class itself, not of its super class
		{"a", o.Data[0].Fields[9], true},
		{"none", nil, false},
		{"", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := o.Field(tt.name); got != tt.want || ok != tt.ok {
				t.Errorf("Field(%q) = %v, %v, want %v, %v", tt.name, got, ok, tt.want, tt.ok)
			}
		})
	}
	// An object without the values that its class announces has no such field.
	short := &Object{Class: o.Class.Super, Data: []ClassData{{Class: o.Class.Super}}}
	if v, ok := short.Field("i"); v != nil || ok {
		t.Errorf("Field without values = %v, %v", v, ok)
	}
}

func TestArrayMade(t *testing.T) {
	tests := []struct {
		name  string
		in    Array
		len   int
		bytes bool
	}{
		{"no class", Array{Raw: []byte{1}}, 0, false},
		{"class of no array", Array{Class: plainClass, Raw: []byte{1}}, 0, false},
		{"class of a bracket", Array{Class: &Class{Name: "["}}, 0, false},
		{"bytes", Array{Class: classBytes, Raw: []byte{1, 2}}, 2, true},
		{"no bytes", Array{Class: classBytes}, 0, true},
		{"shorts", Array{Class: &Class{Name: "[S"}, Raw: []byte{1, 2, 3, 4}}, 2, false},
		{"objects", Array{Class: &Class{Name: "[LB;"}, Elems: []Value{nil, nil, nil}}, 3, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.Len(); got != tt.len {
				t.Errorf("Len = %d, want %d", got, tt.len)
			}
			got, ok := tt.in.Bytes()
			if ok != tt.bytes || (got != nil) != tt.bytes || ok && len(got) != tt.len {
				t.Errorf("Bytes = %v, %v, want %v", got, ok, tt.bytes)
			}
		})
	}
}

func TestClassLayout(t *testing.T) {
	tests := []struct {
		name     string
		flags    byte
		leaf     string // the problem of the object's own class, "" for none
		super    string // the problem of a super class
		external bool
	}{
		{"none", 0, "not serializable", "not serializable", false},
		{"serializable", 0x02, "", "", false},
		{"with write method", 0x03, "", "", false},
		{"enum", 0x12, "", "", false},
		{"external, old", 0x04, "externalizable without block data, its end cannot be found",
			"externalizable without block data, its end cannot be found", false},
		{"external", 0x0c, "", "externalizable super class of a serializable class", true},
		{"both", 0x0e, "both serializable and externalizable", "both serializable and externalizable", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Class{Flags: tt.flags}
			if got := c.layoutProblem(true); got != tt.leaf {
				t.Errorf("layoutProblem of the class = %q, want %q", got, tt.leaf)
			}
			if got := c.layoutProblem(false); got != tt.super {
				t.Errorf("layoutProblem of a super class = %q, want %q", got, tt.super)
			}
			if c.External() != tt.external {
				t.Errorf("External = %v, want %v", c.External(), tt.external)
			}
		})
	}
}

// TestConcurrentUse: one input, one tree and the package's own descriptions may
// be used by many at once.
func TestConcurrentUse(t *testing.T) {
	raw := named(t, "obj-member-message-start").raw
	tree := mustDecode(t, raw)
	typed, err := Typed(tree)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if m, err := DecodeMemberMessage(raw, Limits{}); err != nil || m.Type != MemberStart {
					t.Errorf("DecodeMemberMessage = %+v, %v", m, err)
				}
				for _, v := range []Value{tree, typed} {
					b, err := Append(nil, v)
					if err != nil || string(b) != string(raw) {
						t.Errorf("Append = %x, %v", b, err)
					}
				}
			}
		})
	}
	wg.Wait()
}
