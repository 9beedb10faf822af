package javaser

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/golden"
)

// vector is one object of objects.json, written by a real Tomcat
// 10.1.60.
type vector struct {
	Name   string                     `json:"name"`
	Hex    string                     `json:"hex"`
	Fields map[string]json.RawMessage `json:"fields"`

	raw []byte
}

// vectors returns all vectors in the order of the file.
func vectors(t testing.TB) []vector {
	t.Helper()
	all := golden.Read[vector](t, "objects.json")
	for i := range all {
		all[i].raw = unhex(t, all[i].Hex)
	}
	return all
}

// named returns one vector.
func named(t testing.TB, name string) vector {
	t.Helper()
	for _, v := range vectors(t) {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no vector %q", name)
	return vector{}
}

// str returns a field of a vector that is a string.
func (v vector) str(t testing.TB, field string) string {
	t.Helper()
	return parse[string](t, v.Fields[field])
}

// hex returns a field of a vector that is a string of hex digits.
func (v vector) hex(t testing.TB, field string) []byte {
	t.Helper()
	return unhex(t, v.str(t, field))
}

func parse[T any](t testing.TB, text json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// unhex decodes hex digits, in which blanks may stand.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stream returns a stream of the header and hex digits.
func stream(t testing.TB, s string) []byte {
	t.Helper()
	return append([]byte(streamHeader), unhex(t, s)...)
}

func mustDecode(t testing.TB, b []byte) Value {
	t.Helper()
	v, err := Decode(b, Limits{})
	if err != nil {
		t.Fatalf("Decode(%x): %v", b, err)
	}
	return v
}

// as returns v as a T.
func as[T Value](t testing.TB, v Value) T {
	t.Helper()
	x, ok := v.(T)
	if !ok {
		t.Fatalf("value is %T, want %v", v, reflect.TypeFor[T]())
	}
	return x
}

// field returns a field of an object as a T.
func field[T Value](t testing.TB, o *Object, name string) T {
	t.Helper()
	v, ok := o.Field(name)
	if !ok {
		t.Fatalf("class %s has no field %q", o.Class.Name, name)
	}
	return as[T](t, v)
}

func mustAppend(t testing.TB, v Value) []byte {
	t.Helper()
	b, err := Append(nil, v)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return b
}

// checkSame compares streams.
func checkSame(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s =\n%x, want\n%x", what, got, want)
	}
}

// checkFormatError wants an error at an offset whose reason holds a text.
func checkFormatError(t testing.TB, err error, offset int, reason string) {
	t.Helper()
	var e *FormatError
	if !errors.As(err, &e) {
		t.Fatalf("error = %v (%T), want a *FormatError about %q", err, err, reason)
	}
	if e.Offset != offset || !strings.Contains(e.Reason, reason) {
		t.Errorf("error at %d: %q, want at %d: %q", e.Offset, e.Reason, offset, reason)
	}
}

// checkTyped wants err to be nil or a *FormatError inside of an input.
func checkTyped(t testing.TB, err error, length int) {
	t.Helper()
	var e *FormatError
	if err == nil {
		return
	}
	if !errors.As(err, &e) {
		t.Fatalf("error is %T, want *FormatError: %v", err, err)
	}
	if e.Offset < 0 || e.Offset > length || e.Reason == "" {
		t.Fatalf("error at %d with reason %q for an input of %d bytes", e.Offset, e.Reason, length)
	}
}

// java returns hex digits of names as they stand in a stream.
func java(name string) string {
	return fmt.Sprintf("%04x%x", len(name), name)
}

// desc returns hex digits of a class description without super class.
// fields is the number and the fields in hex.
func desc(name, flags, fields string) string {
	return "72" + java(name) + "0000000000000001" + flags + fields + "7870"
}
