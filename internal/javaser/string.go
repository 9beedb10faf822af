package javaser

import (
	"unicode/utf16"
	"unicode/utf8"
)

// String is a Java string in the encoding of the stream, modified UTF-8: a
// zero character may be two bytes, and a character above U+FFFF is two
// surrogates of three bytes each. It is kept as it came, so nothing is lost
// that Go strings cannot hold (Java allows lone surrogates).
//
// Two places that hold the same *String hold one Java object; the writer emits
// a reference for the second one. A String is immutable.
type String struct {
	modified []byte
}

// NewString returns the Java form of s. Bytes that are not valid UTF-8 become
// U+FFFD, as when ranging over s. The result shares nothing with s.
func NewString(s string) *String {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r == 0:
			b = append(b, 0xc0, 0x80)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			b = appendUnit(appendUnit(b, uint16(hi)), uint16(lo))
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return &String{modified: b}
}

// appendUnit writes a UTF-16 unit of 0x800 and above. Package utf8 refuses
// surrogates, which is what this is for.
func appendUnit(b []byte, u uint16) []byte {
	return append(b, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
}

// String returns the text as a Go string. Lone surrogates become U+FFFD.
func (s *String) String() string {
	if isASCII(s.modified) {
		return string(s.modified)
	}
	return string(utf16.Decode(units(s.modified)))
}

// Modified returns the modified UTF-8 form. It aliases the decoder's input (or
// the String's own memory, after NewString) and must not be changed.
func (s *String) Modified() []byte { return s.modified }

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// units returns the UTF-16 units of b, for which validModified must hold.
func units(b []byte) []uint16 {
	u := make([]uint16, 0, len(b))
	for len(b) > 0 {
		n := unitLength(b[0])
		switch n {
		case 1:
			u = append(u, uint16(b[0]))
		case 2:
			u = append(u, uint16(b[0]&0x1f)<<6|uint16(b[1]&0x3f))
		default:
			u = append(u, uint16(b[0])<<12|uint16(b[1]&0x3f)<<6|uint16(b[2]&0x3f))
		}
		b = b[n:]
	}
	return u
}

// unitLength returns how many bytes a unit has that starts with c, 0 if none
// starts so.
func unitLength(c byte) int {
	switch {
	case c < 0x80:
		return 1
	case c>>5 == 6:
		return 2
	case c>>4 == 14:
		return 3
	}
	return 0
}

// validModified reports whether b is modified UTF-8. Like Java it takes a
// plain zero byte and forms that are longer than they need to be.
func validModified(b []byte) bool {
	for len(b) > 0 {
		n := unitLength(b[0])
		if n == 0 || n > len(b) {
			return false
		}
		for _, c := range b[1:n] {
			if c&0xc0 != 0x80 {
				return false
			}
		}
		b = b[n:]
	}
	return true
}
