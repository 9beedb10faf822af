package session

import (
	"fmt"
	"math"
	"reflect"

	"github.com/gotribes/tribes/session/internal/record"
)

// Value is an attribute that is not decoded yet, as events have it. The zero Value is
// that of an attribute that is not there.
type Value struct {
	codec Codec
	rec   record.Value
	local any  // the value itself, if here
	here  bool // it was never encoded, see Config.LocalOnly
}

// Exists reports whether there was an attribute.
func (v Value) Exists() bool { return v.rec.Kind != record.Removed || v.here }

// As decodes a value. The bool says whether there was an attribute; the error wraps
// ErrType if it does not fit T. Each call
// returns a copy of its own, unless the name is one for which Config.LocalOnly is true.
func As[T any](v Value) (T, bool, error) {
	var out, zero T
	if v.here {
		t, ok := v.local.(T)
		if !ok && v.local != nil {
			return zero, true, fmt.Errorf("%w: %T, not %T", ErrType, v.local, out)
		}
		return t, true, nil
	}
	var err error
	switch v.rec.Kind {
	case record.Number:
		err = decodeNumber(v.codec, v.rec.Number, &out)
	case record.Bytes:
		err = v.codec.Unmarshal(v.rec.Bytes, &out)
	default:
		return zero, false, nil
	}
	if err != nil {
		return zero, true, fmt.Errorf("%w: not %T: %w", ErrType, out, err)
	}
	return out, true, nil
}

// decodeNumber stores n in out, a pointer to anything that the codec can put a number
// into.
func decodeNumber(c Codec, n int64, out any) error {
	switch p := out.(type) {
	case *int64:
		*p = n
		return nil
	case *any:
		*p = n
		return nil
	}
	b, err := c.Marshal(n)
	if err != nil {
		return err
	}
	return c.Unmarshal(b, out)
}

// numberOf returns an integer that is kept as a number, so that it can be added to.
func numberOf(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int8:
		return int64(n), true
	case int16:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case uint8:
		return int64(n), true
	case uint16:
		return int64(n), true
	case uint32:
		return int64(n), true
	case uint:
		return int64(n), uint64(n) <= math.MaxInt64
	case uint64:
		return int64(n), n <= math.MaxInt64
	}
	return 0, false
}

// addressable returns a pointer to a copy of a struct or array: encoders see methods
// with pointer receivers of its parts only then.
func addressable(v any) any {
	r := reflect.ValueOf(v)
	if k := r.Kind(); k != reflect.Struct && k != reflect.Array {
		return v
	}
	p := reflect.New(r.Type())
	p.Elem().Set(r)
	return p.Interface()
}

// encode makes a value that a record can hold.
func encode(c Codec, v any) (record.Value, error) {
	if n, ok := numberOf(v); ok {
		return record.Value{Kind: record.Number, Number: n}, nil
	}
	if err := checkValue(v); err != nil {
		return record.Value{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	b, err := c.Marshal(addressable(v))
	if err != nil {
		return record.Value{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return record.Value{Kind: record.Bytes, Bytes: b}, nil
}
