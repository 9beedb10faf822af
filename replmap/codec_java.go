package replmap

import (
	"bytes"
	"errors"

	"github.com/gotribes/tribes/internal/javaser"
)

// errJava is the error of bytes that are another Java object than the codec is for.
var errJava = errors.New("tribes: replmap: another Java object")

// plain bounds the tree of a text or an array of bytes.
var plain = javaser.Limits{Values: 16, Handles: 16}

type javaString struct{}

// JavaString is the codec of texts as Java strings, for maps of Tribes.
func JavaString() Codec[string] { return javaString{} }

func (javaString) Name() string { return "java.lang.String" }

func (javaString) Append(b []byte, v string) ([]byte, error) {
	return javaser.Append(b, javaser.NewString(v))
}

func (javaString) Decode(b []byte) (string, error) {
	v, err := javaser.Decode(b, plain)
	if err != nil {
		return "", err
	}
	s, ok := v.(*javaser.String)
	if !ok {
		return "", errJava
	}
	return s.String(), nil
}

type javaBytes struct{}

type javaByteKeys struct{ javaBytes }

// JavaByteKeys is the codec of bytes, in a string, as Java's byte[], for keys in maps of
// Tribes. To Java an array is equal to nothing but itself: a Java node does not find an entry
// by such a key that came from another node, neither to read nor to replace it, and has one
// entry more for each message about it. Members of this module know keys by their bytes.
func JavaByteKeys() Codec[string] { return javaByteKeys{} }

func (k javaByteKeys) Append(b []byte, v string) ([]byte, error) {
	return k.javaBytes.Append(b, []byte(v))
}

func (k javaByteKeys) Decode(b []byte) (string, error) {
	p, err := k.javaBytes.Decode(b)
	return string(p), err
}

// JavaBytes is the codec of byte slices as Java's byte[], for values in maps of Tribes.
func JavaBytes() Codec[[]byte] { return javaBytes{} }

func (javaBytes) Name() string { return "[B" }

var byteArray = &javaser.Class{Name: "[B", UID: -0x530ce807f9f7ab20, Flags: javaser.FlagSerializable}

func (javaBytes) Append(b []byte, v []byte) ([]byte, error) {
	return javaser.Append(b, &javaser.Array{Class: byteArray, Raw: v})
}

func (javaBytes) Decode(b []byte) ([]byte, error) {
	v, err := javaser.Decode(b, plain)
	if err != nil {
		return nil, err
	}
	a, ok := v.(*javaser.Array)
	if !ok {
		return nil, errJava
	}
	p, ok := a.Bytes()
	if !ok {
		return nil, errJava
	}
	return bytes.Clone(p), nil
}
