package javaser

import (
	"errors"
	"math"
	"strings"
	"testing"
)

var plainClass = &Class{Name: "C", UID: 1, Flags: FlagSerializable}

// TestAppendShared: what is one object in the tree is one object in the stream,
// and what is two stays two.
func TestAppendShared(t *testing.T) {
	s := NewString("a")
	elems := &Class{Name: "[LO;", UID: 1, Flags: FlagSerializable}
	got := mustAppend(t, &Array{Class: elems, Elems: []Value{s, s, NewString("a"), plainClass, plainClass}})
	checkSame(t, "Append", got, stream(t, "75"+desc("[LO;", "02", "0000")+"00000005"+
		"74000161"+"71007e0002"+"74000161"+desc("C", "02", "0000")+"71007e0004"))
}

func TestAppendCycle(t *testing.T) {
	a := &Array{Class: &Class{Name: "[LO;", UID: 1, Flags: FlagSerializable}}
	a.Elems = []Value{a}
	raw := mustAppend(t, a)
	checkSame(t, "Append", raw, stream(t, "75"+desc("[LO;", "02", "0000")+"00000001"+"71007e0001"))
	back := as[*Array](t, mustDecode(t, raw))
	if back.Elems[0] != Value(back) {
		t.Error("the cycle is gone")
	}
}

// TestAppendTypedShared: typed objects have identity too, and share their class.
func TestAppendTypedShared(t *testing.T) {
	m := &Member{Image: []byte("image")}
	list := &Array{
		Class: &Class{Name: "[LO;", UID: 1, Flags: FlagSerializable},
		Elems: []Value{m, &Member{Image: []byte("other"), UID: MemberUID101}, m, &Member{UID: 7, Static: true}},
	}
	back := as[*Array](t, mustDecode(t, mustAppend(t, list)))
	if back.Elems[0] != back.Elems[2] || back.Elems[0] == back.Elems[1] {
		t.Error("identity is lost")
	}
	if as[*Object](t, back.Elems[0]).Class != as[*Object](t, back.Elems[1]).Class {
		t.Error("two members of one release do not share their class")
	}
	last := as[*Object](t, back.Elems[3]).Class
	if last.Name != nameStaticMember || last.Super.UID != 7 {
		t.Errorf("last class = %+v", last)
	}
}

func TestAppendPrefix(t *testing.T) {
	dst := append(make([]byte, 0, 64), "before"...)
	got, err := Append(dst, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "Append", got, append([]byte("before"), stream(t, "70")...))
	got, err = AppendStream(dst, []Value{Block("ab"), nil, Block(""), NewString("c")})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "AppendStream", got, append([]byte("before"), stream(t, "77026162"+"70"+"74000163")...))
}

// TestAppendBlocks: Java cuts at 1024 bytes and writes short lengths up to 255.
func TestAppendBlocks(t *testing.T) {
	x := strings.Repeat("x", 3000)
	tests := []struct {
		name string
		head int
		body int
		want string
	}{
		{"nothing", 0, 0, ""},
		{"one", 1, 0, "\x77\x01x"},
		{"short", 5, 250, "\x77\xff" + x[:255]},
		{"long", 4, 252, "\x7a\x00\x00\x01\x00" + x[:256]},
		{"full", 4, 1020, "\x7a\x00\x00\x04\x00" + x[:1024]},
		{"one more", 4, 1021, "\x7a\x00\x00\x04\x00" + x[:1024] + "\x77\x01x"},
		{"cut in head", 1025, 3, "\x7a\x00\x00\x04\x00" + x[:1024] + "\x77\x04xxxx"},
		{"three", 0, 2500, "\x7a\x00\x00\x04\x00" + x[:1024] + "\x7a\x00\x00\x04\x00" + x[:1024] + "\x7a\x00\x00\x01\xc4" + x[:452]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := appendBlocks([]byte("d"), []byte(x[:tt.head]), []byte(x[:tt.body]))
			checkSame(t, "appendBlocks", got, []byte("d"+tt.want))
		})
	}
}

// badValue is a tree that has no form in the stream.
type badValue struct {
	name   string
	in     Value
	reason string
}

// oneField returns a class with a field.
func oneField(typ byte, sig *String) *Class {
	return &Class{Name: "C", Flags: FlagSerializable, Fields: []Field{{Type: typ, Name: "f", Signature: sig}}}
}

func badClasses() []badValue {
	long := strings.Repeat("n", math.MaxUint16+1)
	return []badValue{
		{"long class name", &Class{Name: long}, "name of 65536 bytes"},
		{"class name that is no text", &Class{Name: "\xff"}, "not modified UTF-8"},
		{"long field name", &Class{Fields: []Field{{Type: 'I', Name: long}}}, "name of 65536 bytes"},
		{"long interface name", &Class{Proxy: true, Interfaces: []string{long}}, "name of 65536 bytes"},
		{"too many fields", &Class{Fields: make([]Field, math.MaxUint16+1)}, "with 65536 fields"},
		{"field of no type", oneField('Q', nil), "no proper type"},
		{"object field without type", oneField('L', nil), "no proper type"},
		{"primitive field with type", oneField('I', NewString("I")), "no proper type"},
		{"annotation that is none", &Class{Annotations: []Value{Int(1)}}, "where an object is due"},
	}
}

func badObjects() []badValue {
	object := func(c *Class, d ...ClassData) *Object { return &Object{Class: c, Data: d} }
	ints := oneField('I', nil)
	sub := &Class{Name: "S", Flags: FlagSerializable, Super: plainClass}
	bytesClass := &Class{Name: "[B", Flags: FlagSerializable}
	loop := &Class{Name: "L", Flags: FlagSerializable}
	loop.Super = loop
	return []badValue{
		{"block as object", Block("a"), "javaser.Block where an object is due"},
		{"primitive as object", Int(1), "javaser.Int where an object is due"},
		{"object without class", object(nil), "object without a class"},
		{"array without class", &Array{}, "array without a class"},
		{"enum without class", &Enum{}, "enum constant without a class"},
		{"literal without class", &ClassLiteral{}, "class literal without a class"},
		{"enum of a plain class", &Enum{Class: plainClass, Name: NewString("A")}, "without the enum flag"},
		{"enum without name", &Enum{Class: &Class{Flags: FlagSerializable | FlagEnum}}, "without a name"},
		{"array of a plain class", &Array{Class: plainClass}, "not the name of an array class"},
		{"array of bytes with objects", &Array{Class: bytesClass, Elems: []Value{nil}}, "elements of another type"},
		{"array of objects with bytes", &Array{Class: &Class{Name: "[LO;"}, Raw: []byte{1}}, "elements of another type"},
		{"array with half an element", &Array{Class: &Class{Name: "[I"}, Raw: []byte{1}}, "elements of another type"},
		{"array with a block", &Array{Class: &Class{Name: "[LO;"}, Elems: []Value{Block{}}}, "where an object is due"},
		{"no flags", object(&Class{Name: "C"}), "not serializable"},
		{"no data", object(plainClass), "does not match its class chain"},
		{"data of another class", object(plainClass, ClassData{Class: sub}), "does not match its class chain"},
		{"data for too few", object(sub, ClassData{Class: sub}), "does not match its class chain"},
		{"data for too many", object(plainClass, ClassData{Class: sub}, ClassData{Class: plainClass}), "more classes than it has"},
		{"class of itself", object(loop, ClassData{Class: loop}), "does not match its class chain"},
		{"no field value", object(ints, ClassData{Class: ints}), "0 values for 1 fields"},
		{"field value of another type", object(ints, ClassData{Class: ints, Fields: []Value{Long(1)}}), "of type I holds javaser.Long"},
		{"null in a primitive field", object(ints, ClassData{Class: ints, Fields: []Value{nil}}), "holds <nil>"},
		{"extra data", object(plainClass, ClassData{Class: plainClass, Extra: []Value{nil}}), "without the flag"},
		{"fields of an external class", made(&Class{Flags: flagsExternal}, Int(1)), "where an object is due"},
		{"reply of no channel with message", &RPC{NoChannel: true, Message: NewString("a")}, "with a message"},
	}
}

func TestAppendErrors(t *testing.T) {
	for _, tt := range append(badClasses(), badObjects()...) {
		t.Run(tt.name, func(t *testing.T) {
			dst := []byte("before")
			got, err := Append(dst, tt.in)
			var e *ValueError
			if !errors.As(err, &e) || !strings.Contains(e.Error(), tt.reason) {
				t.Errorf("Append = %v, want a *ValueError about %q", err, tt.reason)
			}
			if string(got) != "before" {
				t.Errorf("Append returns %q with its error", got)
			}
		})
	}
}

func TestAppendStreamError(t *testing.T) {
	got, err := AppendStream([]byte("before"), []Value{nil, Int(1)})
	var e *ValueError
	if !errors.As(err, &e) || string(got) != "before" {
		t.Errorf("AppendStream = %q, %v, want a *ValueError", got, err)
	}
}

// TestAppendSelfMessage: an RPC that is its own message has no end.
func TestAppendSelfMessage(t *testing.T) {
	r := &RPC{}
	r.Message = r
	if _, err := AppendRPC(nil, r); err == nil {
		t.Error("no error")
	}
}
