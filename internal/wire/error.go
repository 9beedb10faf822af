package wire

import "fmt"

// Reason says which rule of a format was broken. The set is closed, so that
// counters can be kept per reason.
type Reason uint8

// The reasons.
const (
	Truncated      Reason = iota + 1 // the input ends inside a field
	BadMagic                         // it does not begin with the right magic
	BadEnd                           // the end magic is not where the length says
	BadLength                        // a length is negative
	LengthPastEnd                    // an inner length is larger than what is left
	LengthMismatch                   // an outer length disagrees with what is inside
	TooLarge                         // a length is above the configured limit
	BadHost                          // a host address of other than 4 or 16 bytes
	BadPort                          // a port outside its range
	TrailingBytes                    // bytes after the end where none are allowed
	NoSender                         // a frame without a sender
	BadAck                           // an ack code that does not exist
	BadNumber                        // a number that goes backward or past what was sent
	NotCanonical                     // the same could be said in another way, and must be
	NumReasons                       // one more than the last reason
)

var reasonText = [NumReasons]string{
	Truncated:      "truncated",
	BadMagic:       "bad magic",
	BadEnd:         "bad end magic",
	BadLength:      "negative length",
	LengthPastEnd:  "length past end",
	LengthMismatch: "lengths disagree",
	TooLarge:       "too large",
	BadHost:        "bad host address",
	BadPort:        "bad port",
	TrailingBytes:  "trailing bytes",
	NoSender:       "no sender",
	BadAck:         "unknown ack",
	BadNumber:      "bad number",
	NotCanonical:   "not in canonical form",
}

// String returns a short lower-case phrase, usable as a metric label.
func (r Reason) String() string {
	if int(r) < len(reasonText) && reasonText[r] != "" {
		return reasonText[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// FormatError says that bytes break a format: which rule, and at which byte of
// the input the offending field begins (the input's length if it ends too early).
type FormatError struct {
	Reason Reason
	Offset int
}

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("tribes: decode: %s at byte %d", e.Reason, e.Offset)
}

// Is reports whether target is a *FormatError of the same reason; a target
// with a negative offset matches any offset.
func (e *FormatError) Is(target error) bool {
	t, ok := target.(*FormatError)
	return ok && t.Reason == e.Reason && (t.Offset < 0 || t.Offset == e.Offset)
}
