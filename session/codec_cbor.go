package session

import (
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// CBOR returns the default codec: CBOR (RFC 8949) with the field names and tags of
// encoding/json, or tags "cbor" of its own. Equal values have equal bytes. Times keep
// nanoseconds and the offset, not the name of their zone. Types with MarshalBinary or
// MarshalText are encoded so. Into a variable of type any, numbers come back as int64
// or float64 and maps as map[string]any.
//
// What is decoded is checked for being well formed before any memory is taken: at most
// 64 levels, 1 Mi elements of an array or pairs of a map, no name twice, no item of
// unknown length.
func CBOR() Codec { return theCBOR }

const (
	maxLevels   = 64
	maxElements = 1 << 20
)

var theCBOR = newCBOR()

type cborCodec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

// newCBOR panics if the options contradict each other, which tests would show.
func newCBOR() *cborCodec {
	enc, err := cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical, // equal values have equal bytes
		Time:          cbor.TimeRFC3339Nano,
		TimeTag:       cbor.EncTagRequired,
		IndefLength:   cbor.IndefLengthForbidden,
		TextMarshaler: cbor.TextMarshalerTextString,
	}.EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  maxLevels,
		MaxArrayElements: maxElements,
		MaxMapPairs:      maxElements,
		IndefLength:      cbor.IndefLengthForbidden,
		IntDec:           cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		TextUnmarshaler:  cbor.TextUnmarshalerTextString,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return &cborCodec{enc: enc, dec: dec}
}

func (*cborCodec) Name() string { return "cbor" }

// Marshal also makes sure that what it returns is within the limits of Unmarshal.
func (c *cborCodec) Marshal(v any) ([]byte, error) {
	b, err := c.enc.Marshal(v)
	if err != nil {
		return nil, err
	}
	if err := c.dec.Wellformed(b); err != nil {
		return nil, err
	}
	return b, nil
}

func (c *cborCodec) Unmarshal(data []byte, v any) error { return c.dec.Unmarshal(data, v) }
