package javaser

import "fmt"

// FormatError says that bytes are not what this package reads: not a Java
// object stream, damaged, of a part of the format that is refused, or beyond
// a limit. It is the only type of error that the decoding functions return,
// always as a pointer.
type FormatError struct {
	// Offset is where in the input the offending item begins; the length
	// of the input if that ends too early. For an object that is well
	// formed but not what its class calls for, it is where the object begins.
	Offset int
	// Reason is a short text for people.
	Reason string
	// Limit is set if the bytes may be well formed but exceed one of Limits.
	Limit bool
}

// Error returns the offset and the reason in one line.
func (e *FormatError) Error() string {
	return fmt.Sprintf("tribes: decode java object: offset %d: %s", e.Offset, e.Reason)
}

// ValueError says that a value has no form in the stream: a tree that was put
// together wrongly, or is too large or too deep. It is the only type of error
// that the encoding functions return, always as a pointer. What Decode or
// DecodeStream returned never causes it, if it is written as a whole. A part of
// it may, if by references it is nested deeper than MaxDepth.
type ValueError struct {
	// Reason is a short text for people.
	Reason string
}

// Error returns the reason in one line.
func (e *ValueError) Error() string { return "tribes: encode java object: " + e.Reason }

func valueErrorf(format string, args ...any) error {
	return &ValueError{Reason: fmt.Sprintf(format, args...)}
}
