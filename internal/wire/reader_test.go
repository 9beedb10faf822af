package wire

import (
	"bytes"
	"errors"
	"testing"
)

// field is one call of a Reader and what it must return.
type field struct {
	take func(r *Reader) any
	want any
}

func u8(r *Reader) any    { return r.Uint8() }
func u32(r *Reader) any   { return r.Uint32() }
func u64(r *Reader) any   { return r.Uint64() }
func i32(r *Reader) any   { return r.Int32() }
func i64(r *Reader) any   { return r.Int64() }
func uvar(r *Reader) any  { return r.Uvarint() }
func sized(r *Reader) any { return string(r.Sized()) }
func three(r *Reader) any { return string(r.Bytes(3)) }
func magic(r *Reader) any { r.Magic("MAGIC", BadMagic); return r.Offset() }

var readerTests = []struct {
	name   string
	in     string
	base   int
	inner  bool
	fields []field
	err    *FormatError
}{
	{name: "empty", fields: nil},
	{name: "uint8", in: "\xff", fields: []field{{u8, uint8(255)}}},
	{name: "uint32", in: "\xff\x02\x03\x04", fields: []field{{u32, uint32(0xff020304)}}},
	{name: "int32", in: "\xff\xff\xff\xfe", fields: []field{{i32, int32(-2)}}},
	{name: "uint64", in: "\xff\x02\x03\x04\x05\x06\x07\x08", fields: []field{{u64, uint64(0xff02030405060708)}}},
	{name: "int64", in: "\xff\xff\xff\xff\xff\xff\xff\xfb", fields: []field{{i64, int64(-5)}}},
	{name: "bytes", in: "abcd", fields: []field{{three, "abc"}, {u8, uint8('d')}}},
	{name: "sized", in: "\x00\x00\x00\x02hi!", fields: []field{{sized, "hi"}, {u8, uint8('!')}}},
	{name: "sized of nothing", in: "\x00\x00\x00\x00!", fields: []field{{sized, ""}, {u8, uint8('!')}}},
	{name: "magic", in: "MAGIC!", base: 10, fields: []field{{magic, 15}, {u8, uint8('!')}}},

	{name: "uvarint", in: "\x00\x7f\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		fields: []field{{uvar, uint64(0)}, {uvar, uint64(127)}, {uvar, uint64(128)}, {uvar, uint64(1<<64 - 1)}}},
	{name: "uvarint of nothing", base: 7, fields: []field{{uvar, uint64(0)}}, err: &FormatError{Truncated, 7}},
	{name: "uvarint cut", in: "\x80\x80", base: 7, fields: []field{{uvar, uint64(0)}}, err: &FormatError{Truncated, 9}},
	{name: "uvarint longer than it must be", in: "a\x80\x00", base: 7, fields: []field{{u8, uint8('a')}, {uvar, uint64(0)}},
		err: &FormatError{NotCanonical, 8}},
	{name: "uvarint of 65 bits", in: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", fields: []field{{uvar, uint64(0)}},
		err: &FormatError{NotCanonical, 0}},
	{name: "uvarint cut and too long", in: "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", fields: []field{{uvar, uint64(0)}},
		err: &FormatError{NotCanonical, 0}},

	{name: "uint8 of nothing", base: 7, fields: []field{{u8, uint8(0)}}, err: &FormatError{Truncated, 7}},
	{name: "uint32 cut at once", in: "a", base: 7, fields: []field{{u32, uint32(0)}}, err: &FormatError{Truncated, 8}},
	{name: "uint32 cut", in: "abc", fields: []field{{u32, uint32(0)}}, err: &FormatError{Truncated, 3}},
	{name: "uint64 cut", in: "abcdefg", fields: []field{{u64, uint64(0)}}, err: &FormatError{Truncated, 7}},
	{name: "bytes cut", in: "ab", fields: []field{{three, ""}}, err: &FormatError{Truncated, 2}},
	{name: "sized cut in its length", in: "\x00\x00\x00", fields: []field{{sized, ""}}, err: &FormatError{Truncated, 3}},
	{name: "sized past the end", in: "a\x00\x00\x00\x03hi", base: 4,
		fields: []field{{u8, uint8('a')}, {sized, ""}}, err: &FormatError{LengthPastEnd, 5}},
	{name: "sized negative", in: "\xff\xff\xff\xff", base: 4, fields: []field{{sized, ""}}, err: &FormatError{BadLength, 4}},
	{name: "sized huge", in: "\x7f\xff\xff\xff", fields: []field{{sized, ""}}, err: &FormatError{LengthPastEnd, 0}},
	{name: "magic wrong", in: "MAGIX!", base: 10, fields: []field{{magic, 10}}, err: &FormatError{BadMagic, 10}},
	{name: "magic cut", in: "MAG", base: 10, fields: []field{{magic, 10}}, err: &FormatError{Truncated, 13}},
	{name: "magic cut and wrong", in: "MAX", base: 10, fields: []field{{magic, 10}}, err: &FormatError{BadMagic, 10}},

	{name: "inner uint32 without room", in: "aabc", base: 7, inner: true,
		fields: []field{{u8, uint8('a')}, {u32, uint32(0)}}, err: &FormatError{LengthMismatch, 8}},
	{name: "inner magic without room", in: "aMAG", base: 7, inner: true,
		fields: []field{{u8, uint8('a')}, {magic, 8}}, err: &FormatError{LengthMismatch, 8}},
	{name: "inner sized past the end", in: "\x00\x00\x00\x03hi", inner: true,
		fields: []field{{sized, ""}}, err: &FormatError{LengthPastEnd, 0}},

	{name: "the first failure sticks", in: "ab", fields: []field{{u32, uint32(0)}, {u8, uint8(0)}, {uvar, uint64(0)}, {sized, ""}, {magic, 0}},
		err: &FormatError{Truncated, 2}},
}

func TestReader(t *testing.T) {
	for _, tt := range readerTests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader([]byte(tt.in), tt.base)
			if tt.inner {
				r = NewInner([]byte(tt.in), tt.base)
			}
			for i, f := range tt.fields {
				if got := f.take(&r); got != f.want {
					t.Errorf("field %d = %v, want %v", i, got, f.want)
				}
			}
			if tt.err == nil {
				if err := r.Err(); err != nil {
					t.Errorf("Err() = %v, want nil", err)
				}
				return
			}
			var got *FormatError
			if !errors.As(r.Err(), &got) || *got != *tt.err {
				t.Errorf("Err() = %v, want %v", r.Err(), tt.err)
			}
		})
	}
}

func TestReaderPosition(t *testing.T) {
	r := NewReader([]byte("abcdef"), 100)
	r.Bytes(2)
	if r.Offset() != 102 || r.Left() != 4 {
		t.Errorf("after two of six bytes Offset() = %d, Left() = %d, want 102 and 4", r.Offset(), r.Left())
	}
	if got := r.Bytes(-1); got != nil || r.Err() == nil {
		t.Errorf("Bytes(-1) = %q, %v, want an error", got, r.Err())
	}
}

func TestReaderFailKeepsTheFirst(t *testing.T) {
	var r Reader
	r.Fail(BadPort, 3)
	r.Fail(BadHost, 4)
	if want := (&FormatError{BadPort, 3}); !errors.Is(r.Err(), want) {
		t.Errorf("Err() = %v, want %v", r.Err(), want)
	}
}

// What a Reader hands out must not let an append reach the bytes behind it.
func TestReaderBytesHaveNoRoom(t *testing.T) {
	in := []byte("\x00\x00\x00\x01abc")
	r := NewReader(in, 0)
	_ = append(r.Sized(), 'X')
	_ = append(r.Bytes(1), 'X')
	if want := "\x00\x00\x00\x01abc"; string(in) != want {
		t.Errorf("input after append = %q, want %q", in, want)
	}
}

func TestAppend(t *testing.T) {
	b := Uint32(nil, 0xdeadbeef)
	b = Int32(b, -2)
	b = Int64(b, -5)
	b = Sized(b, "str")
	b = Sized(b, []byte{1, 2})
	b = Sized(b, "")
	want := []byte("\xde\xad\xbe\xef\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xfb\x00\x00\x00\x03str\x00\x00\x00\x02\x01\x02\x00\x00\x00\x00")
	if !bytes.Equal(b, want) {
		t.Errorf("append = %x, want %x", b, want)
	}
}
