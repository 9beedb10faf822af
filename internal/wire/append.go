package wire

import "encoding/binary"

// Uint32 appends v.
func Uint32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

// Int32 appends v.
func Int32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// Int64 appends v.
func Int64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// Sized appends the length of p as a signed 32-bit number, then p.
func Sized[T ~string | ~[]byte](b []byte, p T) []byte {
	return append(Int32(b, int32(len(p))), p...)
}
