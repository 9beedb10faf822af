package session

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Codec turns attributes into bytes and back. Its methods run at the same time in any number of goroutines.
type Codec interface {
	// Name is a short word.
	Name() string
	// Marshal returns the bytes of v, which belong to the caller. An error says that v
	// cannot be encoded, or could not be decoded afterwards.
	Marshal(v any) ([]byte, error)
	// Unmarshal decodes into v, a pointer, and keeps nothing of data. Data may be
	// anything: there must be an error and no panic, and the memory taken must be in
	// proportion to len(data).
	Unmarshal(data []byte, v any) error
}

// JSON returns the codec of encoding/json: readable everywhere, larger and slower than
// [CBOR]. Of []byte it makes base64.
func JSON() Codec { return jsonCodec{} }

type jsonCodec struct{}

func (jsonCodec) Name() string                       { return "json" }
func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// Gob returns the codec of encoding/gob, for types that need it: those that implement
// GobEncoder, or interfaces in fields, whose types the program must register. Each
// value carries the description of its type, which makes small ones several times as
// large and slow as with [CBOR]. The authors of gob do not harden it against hostile
// bytes: use it only where whoever can write them is trusted.
func Gob() Codec { return gobCodec{} }

type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }

func (gobCodec) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (gobCodec) Unmarshal(data []byte, v any) error {
	r := bytes.NewReader(data)
	if err := gob.NewDecoder(r).Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if r.Len() != 0 {
		return fmt.Errorf("gob: %d bytes after the value", r.Len())
	}
	return nil
}
