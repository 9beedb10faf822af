package session

import (
	"encoding"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// Encoders differ in what they do with a value that they cannot represent: some drop
// fields without a word, and all follow a cycle of pointers until the process dies.
// So values are checked before an encoder sees them.

var (
	errCycle  = errors.New("pointers more than 64 deep: a cycle?")
	errShared = errors.New("more than a million parts")
)

// checkValue reports why v cannot be encoded without loss.
func checkValue(v any) error {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil
	}
	kind, err := checkType(t)
	if err != nil || !kind.open {
		return err
	}
	w := walk{left: maxElements}
	return w.value(reflect.ValueOf(v), 0)
}

// shape is what is known of a type.
type shape struct {
	err   error
	open  bool  // values can be cyclic or hold other types: it contains itself or an interface
	parts []int // of a struct: the fields to look into
}

var shapes sync.Map // reflect.Type -> shape

func checkType(t reflect.Type) (shape, error) {
	if s, ok := shapes.Load(t); ok {
		return s.(shape), s.(shape).err
	}
	var s shape
	s.err = s.visit(t, make(map[reflect.Type]bool))
	if s.open && t.Kind() == reflect.Struct {
		s.parts = visible(t)
	}
	shapes.Store(t, s)
	return s, s.err
}

// opaque are the interfaces of types that encode themselves.
var opaque = []reflect.Type{
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
	reflect.TypeFor[json.Marshaler](), reflect.TypeFor[cbor.Marshaler](), reflect.TypeFor[gob.GobEncoder](),
}

func encodesItself(t reflect.Type) bool {
	for _, i := range opaque {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

// visit goes through t; above are the types that it is part of.
func (s *shape) visit(t reflect.Type, above map[reflect.Type]bool) error {
	if above[t] {
		s.open = true
		return nil
	}
	if t.Kind() != reflect.Interface && encodesItself(t) {
		return nil
	}
	above[t] = true
	defer delete(above, t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128, reflect.Invalid:
		return fmt.Errorf("type %v", t)
	case reflect.Interface:
		s.open = true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return s.visit(t.Elem(), above)
	case reflect.Map:
		if err := s.visit(t.Key(), above); err != nil {
			return err
		}
		return s.visit(t.Elem(), above)
	case reflect.Struct:
		return s.fields(t, above)
	}
	return nil
}

// fields visits what encoders see of a struct. One of which they see nothing would
// come back empty.
func (s *shape) fields(t reflect.Type, above map[reflect.Type]bool) error {
	seen := 0
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		seen++
		if omitted(f) {
			continue
		}
		if err := s.visit(f.Type, above); err != nil {
			return fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
	}
	if seen == 0 && t.NumField() > 0 {
		return fmt.Errorf("type %v has no exported fields", t)
	}
	return nil
}

// visible returns the fields that encoders see.
func visible(t reflect.Type) (parts []int) {
	for i := range t.NumField() {
		if f := t.Field(i); (f.IsExported() || f.Anonymous) && !omitted(f) {
			parts = append(parts, i)
		}
	}
	return parts
}

// omitted reports whether a tag leaves a field out.
func omitted(f reflect.StructField) bool {
	tag, ok := f.Tag.Lookup("cbor")
	if !ok {
		tag = f.Tag.Get("json")
	}
	return tag == "-"
}

// walk goes through a value of an open type. It looks into each pointer, so a cycle
// gets deep at once and what is shared many times over uses up the parts.
type walk struct{ left int }

func (w *walk) value(v reflect.Value, depth int) error {
	if depth > maxLevels {
		return errCycle
	}
	if w.left--; w.left < 0 {
		return errShared
	}
	s, err := checkType(v.Type())
	if err != nil || !s.open {
		return err
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return w.value(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := w.value(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for k, e := range v.Seq2() {
			if err := errors.Join(w.value(k, depth+1), w.value(e, depth+1)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for _, i := range s.parts {
			if err := w.value(v.Field(i), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
