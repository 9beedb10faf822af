package replmap

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Codec turns keys or values into bytes and back. Equal values must have equal bytes: keys
// are found by them and [Map.CompareAndSwap] compares them. A codec is used by many
// goroutines at the same time.
type Codec[T any] interface {
	// Name says how the bytes are made. Members whose codecs have other names do not share
	// the map.
	Name() string
	// Append appends the bytes of v to b, which may be nil, and returns the result.
	Append(b []byte, v T) ([]byte, error)
	// Decode makes a value of bytes, which it must not modify and nobody does: what it returns
	// may alias them if nobody modifies that either.
	Decode(b []byte) (T, error)
}

type stringCodec struct{}

// String is the codec of texts in UTF-8.
func String() Codec[string] { return stringCodec{} }

func (stringCodec) Name() string { return "string" }

func (stringCodec) Append(b []byte, v string) ([]byte, error) {
	if !utf8.ValidString(v) {
		return b, fmt.Errorf("tribes: replmap: text is not UTF-8")
	}
	return append(b, v...), nil
}

func (stringCodec) Decode(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", fmt.Errorf("tribes: replmap: text is not UTF-8")
	}
	return string(b), nil
}

type bytesCodec struct{}

// Bytes is the codec of byte slices, which are copied.
func Bytes() Codec[[]byte] { return bytesCodec{} }

func (bytesCodec) Name() string { return "bytes" }

func (bytesCodec) Append(b []byte, v []byte) ([]byte, error) { return append(b, v...), nil }

func (bytesCodec) Decode(b []byte) ([]byte, error) { return append([]byte{}, b...), nil }

type int64Codec struct{}

// Int64 is the codec of numbers.
func Int64() Codec[int64] { return int64Codec{} }

func (int64Codec) Name() string { return "int64" }

func (int64Codec) Append(b []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(b, uint64(v)), nil
}

func (int64Codec) Decode(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("tribes: replmap: number of %d bytes, want 8", len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

type jsonCodec[T any] struct{}

// JSON is the codec of what package encoding/json can write and read back. Fields that the
// bytes have and T has not are ignored, so that members of two releases can share a map.
func JSON[T any]() Codec[T] { return jsonCodec[T]{} }

func (jsonCodec[T]) Name() string { return "json" }

func (jsonCodec[T]) Append(b []byte, v T) ([]byte, error) {
	p, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("tribes: replmap: %w", err)
	}
	return append(b, p...), nil
}

func (jsonCodec[T]) Decode(b []byte) (T, error) {
	var v T
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&v); err != nil {
		return v, fmt.Errorf("tribes: replmap: %w", err)
	}
	return v, nil
}
