package javaser

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestDecodeHeader(t *testing.T) {
	tests := []struct {
		name   string
		in     string
		offset int
		reason string
	}{
		{"nothing", "", 0, "ends inside the stream header"},
		{"part of a header", "aced00", 3, "ends inside the stream header"},
		{"other magic", "aced000670", 0, "no Java object stream"},
		{"header alone", "aced0005", 4, "ends inside an object"},
		{"trailing byte", "aced00057000", 5, "1 bytes after the object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(unhex(t, tt.in), Limits{})
			checkFormatError(t, err, tt.offset, tt.reason)
		})
	}
	if IsStream([]byte("\xac\xed\x00")) || !IsStream([]byte("\xac\xed\x00\x05")) {
		t.Error("IsStream judges by something else than the header")
	}
}

// TestDecodeErrors: offsets are those of the whole input, header included.
func TestDecodeErrors(t *testing.T) {
	plain := desc("C", "02", "0000")
	tests := []struct {
		name   string
		in     string
		offset int
		reason string
	}{
		{"unknown tag", "20", 4, "unknown tag 0x20"},
		{"block where an object is due", "770161", 4, "block data where an object is due"},
		{"end mark where an object is due", "78", 4, "end of block data"},
		{"exception mark", "7b", 4, "exception mark"},
		{"reset after", "73" + plain + "79", 22, "1 bytes after the object"},
		{"reset inside", "7379", 5, "reset inside"},
		{"reference to nothing", "71007e0000", 4, "unknown handle 0x7e0000"},
		{"reference below the base", "7100000000", 4, "unknown handle 0x0"},
		{"reference far above", "71ffffffff", 4, "unknown handle 0xffffffff"},
		{"reference cut", "71007e", 7, "ends inside a reference"},
		{"string cut", "74000361", 8, "ends inside a string"},
		{"string that is no text", "740002c3c3", 7, "not modified UTF-8"},
		{"string with four byte form", "740004f09f9880", 7, "not modified UTF-8"},
		{"long string, negative", "7cffffffffffffffff", 5, "negative length -1"},
		{"long string, too long", "7c000000000000000261", 14, "ends inside a string"},
		{"object without class", "7370", 5, "an object without a class"},
		{"class that is a string", "7374000161", 5, "not a class description"},
		{"own super class", "73720001430000000000000001020000" + "7871007e0000", 21, "reference to unfinished class \"C\""},
		{"not serializable", "73" + desc("C", "00", "0000"), 4, `class "C" is not serializable`},
		{"two ways", "73" + desc("C", "06", "0000"), 4, "both serializable and externalizable"},
		{"no end to find", "73" + desc("C", "04", "0000"), 4, "externalizable without block data"},
		{"external super", "73720001440000000000000001020000" + "78" + desc("C", "0c", "0000"), 4, "externalizable super class"},
		{"field of no type", "73" + desc("C", "02", "0001"+"51"+"0000"), 20, "unknown type code 0x51"},
		{"field without type string", "73" + "72000143000000000000000102" + "00014c00016670", 24, "the type of a field is not a string"},
		{"fields cut", "73" + "72000143000000000000000102" + "000249", 21, "ends inside the fields of a class"},
		{"field value cut", "73" + desc("C", "02", "0001"+"49"+java("a")) + "0000", 28, "ends inside a field"},
		{"array of a class that is none", "75" + plain + "00000000", 4, `"C" is not the name of an array class`},
		{"array, negative", "75" + desc("[B", "02", "0000") + "ffffffff", 23, "negative length -1"},
		{"array, too long", "75" + desc("[J", "02", "0000") + "0000000100", 28, "ends inside an array"},
		{"array of objects, too long", "75" + desc("[LC;", "02", "0000") + "7fffffff70", 30, "ends inside an array"},
		{"array of nothing", "75" + desc("[Q", "02", "0000") + "00000000", 4, "not the name of an array class"},
		{"enum of a plain class", "7e" + plain + "74000141", 4, "which is no enum"},
		{"enum without name", "7e" + desc("E", "12", "0000") + "70", 22, "name of an enum constant is not a string"},
		{"block of negative size", "73" + desc("C", "0c", "0000") + "7affffffff", 23, "negative length -1"},
		{"no end of blocks", "73" + desc("C", "0c", "0000") + "770161", 25, "ends inside block data"},
		{"interfaces, negative", "737d80000000", 6, "negative length"},
		{"class object of nothing", "7670", 5, "a class object without a class"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(stream(t, tt.in), Limits{})
			checkFormatError(t, err, tt.offset, tt.reason)
			if err.(*FormatError).Limit {
				t.Error("Limit is set")
			}
		})
	}
}

func TestDecodeFields(t *testing.T) {
	fields := "0008" + "5a" + java("z") + "42" + java("b") + "43" + java("c") + "53" + java("s") +
		"49" + java("i") + "4a" + java("j") + "46" + java("f") + "44" + java("d")
	values := "02" + "ff" + "20ac" + "8000" + "fffffffe" + "8000000000000000" + "3fc00000" + "fff0000000000000"
	o := as[*Object](t, mustDecode(t, stream(t, "73"+desc("C", "02", fields)+values)))
	want := []Value{
		Bool(true), Byte(-1), Char('€'), Short(-32768), Int(-2), Long(math.MinInt64), Float(1.5), Double(math.Inf(-1)),
	}
	for i, f := range o.Class.Fields {
		if got, _ := o.Field(f.Name); got != want[i] {
			t.Errorf("field %s = %T %v, want %T %v", f.Name, got, got, want[i], want[i])
		}
	}
	if v, ok := o.Field("none"); ok || v != nil {
		t.Errorf("Field(none) = %v, %v", v, ok)
	}
}

// TestDecodeFieldShadow: the field of the class itself hides that of its super
// class, and values of the super class come first.
func TestDecodeFieldShadow(t *testing.T) {
	super := desc("Super", "02", "0002"+"49"+java("x")+"49"+java("y"))
	in := "73" + "72" + java("Sub") + "0000000000000002" + "02" + "0001" + "49" + java("x") + "78" + super +
		"00000001" + "00000002" + "00000003"
	o := as[*Object](t, mustDecode(t, stream(t, in)))
	if x, y := field[Int](t, o, "x"), field[Int](t, o, "y"); x != 3 || y != 2 {
		t.Errorf("x, y = %d, %d, want 3, 2", x, y)
	}
	if o.Data[0].Class != o.Class.Super || o.Data[1].Class != o.Class || o.Class.UID != 2 {
		t.Errorf("levels = %+v", o.Data)
	}
}

func TestDecodeBlocksJoined(t *testing.T) {
	long := strings.Repeat("62", 300)
	tests := []struct {
		name string
		in   string
		want []string // texts of blocks; "" for null
	}{
		{"none", "", nil},
		{"one", "770161", []string{"a"}},
		{"two", "770161" + "770162", []string{"ab"}},
		{"short and long", "770161" + "7a0000012c" + long + "770163", []string{"a" + strings.Repeat("b", 300) + "c"}},
		{"empty ones", "7700" + "770161" + "7a00000000" + "770162", []string{"ab"}},
		{"only empty", "7700", nil},
		{"null between", "770161" + "70" + "770162", []string{"a", "", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := as[*Object](t, mustDecode(t, stream(t, "73"+desc("C", "0c", "0000")+tt.in+"78")))
			extra := o.Data[0].Extra
			if len(extra) != len(tt.want) {
				t.Fatalf("Extra = %v, want %q", extra, tt.want)
			}
			for i, want := range tt.want {
				if want == "" {
					if extra[i] != nil {
						t.Errorf("Extra[%d] = %v, want nil", i, extra[i])
					}
				} else if got := string(as[Block](t, extra[i])); got != want {
					t.Errorf("Extra[%d] = %q, want %q", i, got, want)
				}
			}
		})
	}
}

// TestDecodeAliases: what is documented to alias the input does, and cannot
// grow into it.
func TestDecodeAliases(t *testing.T) {
	in := stream(t, "73"+desc("C", "0c", "0000")+"770161"+"74000162"+"75"+desc("[B", "02", "0000")+"0000000163"+"78")
	extra := as[*Object](t, mustDecode(t, in)).Data[0].Extra
	raw, ok := as[*Array](t, extra[2]).Bytes()
	if !ok {
		t.Fatal("no byte array")
	}
	parts := [][]byte{as[Block](t, extra[0]), as[*String](t, extra[1]).Modified(), raw}
	for i, p := range parts {
		if len(p) != 1 || cap(p) != 1 {
			t.Fatalf("part %d has length %d and capacity %d, want 1 and 1", i, len(p), cap(p))
		}
		p[0] = 'X'
	}
	if n := bytes.Count(in, []byte("X")); n != 3 {
		t.Errorf("%d bytes of the input changed, want 3", n)
	}
}

func TestDecodeReferences(t *testing.T) {
	list := as[*Object](t, mustDecode(t, stream(t,
		"73"+desc("C", "0c", "0000")+ // handles 0 (class), 1 (object)
			"74000161"+ // 2
			"71007e0002"+
			"71007e0001"+
			"7371007e000078"+ // 3
			"71007e0000"+
			"78")))
	extra := list.Data[0].Extra
	if extra[0] != extra[1] {
		t.Error("a reference to a string gives another string")
	}
	if extra[2] != Value(list) {
		t.Error("a reference to the object itself gives another object")
	}
	if as[*Object](t, extra[3]).Class != list.Class || extra[4] != Value(list.Class) {
		t.Error("a reference to a class gives another class")
	}
}

func TestDecodeRareKinds(t *testing.T) {
	proxy := "7d" + "00000002" + java("a.A") + java("b.B") + "7870"
	o := as[*Object](t, mustDecode(t, stream(t, "73"+proxy)))
	if c := o.Class; !c.Proxy || c.Flags != FlagSerializable || strings.Join(c.Interfaces, " ") != "a.A b.B" {
		t.Errorf("proxy class = %+v", c)
	}
	l := as[*ClassLiteral](t, mustDecode(t, stream(t, "76"+desc("C", "00", "0000"))))
	if l.Class.Name != "C" {
		t.Errorf("class object of %q", l.Class.Name)
	}
	c := as[*Class](t, mustDecode(t, stream(t, desc("D", "02", "0000"))))
	if c.Name != "D" {
		t.Errorf("class %q", c.Name)
	}
	s := as[*String](t, mustDecode(t, stream(t, "7c0000000000000003"+"c080"+"61")))
	if s.String() != "\x00a" {
		t.Errorf("string %q", s)
	}
	annotated := "72" + java("C") + "0000000000000001" + "020000" + "770161" + "74000162" + "7870"
	c = as[*Class](t, mustDecode(t, stream(t, annotated)))
	if len(c.Annotations) != 2 || string(as[Block](t, c.Annotations[0])) != "a" {
		t.Errorf("annotations = %v", c.Annotations)
	}
}

func TestDecodeArrays(t *testing.T) {
	tests := []struct {
		name string
		in   string
		len  int
		raw  string
	}{
		{"[B", "0000000201ff", 2, "01ff"},
		{"[Z", "0000000101", 1, "01"},
		{"[C", "00000001" + "0041", 1, "0041"},
		{"[S", "00000002" + "00010002", 2, "00010002"},
		{"[I", "00000001" + "0000002a", 1, "0000002a"},
		{"[F", "00000000", 0, ""},
		{"[J", "00000001" + "0000000000000001", 1, "0000000000000001"},
		{"[D", "00000001" + "3ff0000000000000", 1, "3ff0000000000000"},
		{"[Ljava.lang.String;", "00000002" + "7400016170", 2, ""},
		{"[[I", "00000001" + "70", 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := stream(t, "75"+desc(tt.name, "02", "0000")+tt.in)
			a := as[*Array](t, mustDecode(t, in))
			if a.Len() != tt.len || !bytes.Equal(a.Raw, unhex(t, tt.raw)) {
				t.Errorf("Len, Raw = %d, %x, want %d, %s", a.Len(), a.Raw, tt.len, tt.raw)
			}
			if _, ok := a.Bytes(); ok != (tt.name == "[B") {
				t.Errorf("Bytes reports %v", ok)
			}
			checkSame(t, "Append", mustAppend(t, a), in)
		})
	}
}

func TestDecodeStream(t *testing.T) {
	list, err := DecodeStream(stream(t, "770161"+"770162"+"74000163"+"71007e0000"+"79"+"74000164"+"71007e0000"+"70"+"79"), Limits{})
	if err != nil || len(list) != 6 {
		t.Fatalf("DecodeStream = %v, %v, want 6 values", list, err)
	}
	if string(as[Block](t, list[0])) != "ab" || list[1] != list[2] || list[3] != list[4] || list[1] == list[3] || list[5] != nil {
		t.Errorf("DecodeStream = %v", list)
	}
	if list, err := DecodeStream(stream(t, ""), Limits{}); err != nil || len(list) != 0 {
		t.Errorf("DecodeStream(header) = %v, %v, want nothing", list, err)
	}
	list, err = DecodeStream(stream(t, "770161"+"79"+"770162"+"7700"+"79"), Limits{})
	if err != nil || len(list) != 1 || string(as[Block](t, list[0])) != "ab" {
		t.Errorf("DecodeStream of blocks around a reset = %v, %v, want one block", list, err)
	}
	_, err = DecodeStream(stream(t, "79"+"71007e0000"), Limits{})
	checkFormatError(t, err, 5, "unknown handle")
	_, err = DecodeStream(stream(t, "770261"), Limits{})
	checkFormatError(t, err, 7, "ends inside a block")
	v, err := Decode(stream(t, "797970"), Limits{})
	if err != nil || v != nil {
		t.Errorf("Decode after resets = %v, %v, want nil", v, err)
	}
}
