package javaser

import (
	"bytes"
	"testing"
)

func TestStringForms(t *testing.T) {
	tests := []struct {
		name     string
		text     string
		modified string
	}{
		{"empty", "", ""},
		{"ascii", "k1", "6b31"},
		{"zero", "a\x00b", "61c08062"},
		{"two bytes", "é", "c3a9"},
		{"three bytes", "€", "e282ac"},
		{"last of the plane", "\uffff", "efbfbf"},
		{"above the plane", "😀", "eda0bdedb880"},
		{"last of all", "\U0010ffff", "edafbfedbfbf"},
		{"mixed", "a😀\x00é", "61eda0bdedb880c080c3a9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewString(tt.text)
			if want := unhex(t, tt.modified); !bytes.Equal(s.Modified(), want) {
				t.Errorf("Modified = %x, want %x", s.Modified(), want)
			}
			if s.String() != tt.text {
				t.Errorf("String = %q, want %q", s, tt.text)
			}
			if !validModified(s.Modified()) {
				t.Error("not valid")
			}
		})
	}
}

func TestStringLossy(t *testing.T) {
	if got, want := NewString("a\xffb").String(), "a\ufffdb"; got != want {
		t.Errorf("invalid UTF-8 gives %q, want %q", got, want)
	}
	// A lone surrogate has no Go form, but is kept for the way back.
	raw := stream(t, "740003eda0bd")
	s := as[*String](t, mustDecode(t, raw))
	if got, want := s.String(), "\ufffd"; got != want {
		t.Errorf("lone surrogate gives %q, want %q", got, want)
	}
	checkSame(t, "Append", mustAppend(t, s), raw)
}

func TestValidModified(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want bool
	}{
		{"plain zero", "00", true},
		{"zero in two", "c080", true},
		{"longer than needed", "c181e08081", true},
		{"continuation first", "80", false},
		{"two, cut", "c3", false},
		{"two, no continuation", "c341", false},
		{"three, cut", "e282", false},
		{"three, second wrong", "e241ac", false},
		{"three, third wrong", "e28241", false},
		{"four", "f09f9880", false},
		{"ff", "ff", false},
		{"good then bad", "6180", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := validModified(unhex(t, tt.in)); got != tt.want {
				t.Errorf("validModified(%s) = %v, want %v", tt.in, got, tt.want)
			}
		})
	}
}

// TestStringLengths: up to 65535 bytes a string has a short length.
func TestStringLengths(t *testing.T) {
	for n, tag := range map[int]byte{0: tagString, 65535: tagString, 65536: tagLongString} {
		raw := mustAppend(t, NewString(string(bytes.Repeat([]byte("x"), n))))
		if raw[4] != tag {
			t.Errorf("string of %d bytes has tag %#x, want %#x", n, raw[4], tag)
		}
		if got := len(as[*String](t, mustDecode(t, raw)).String()); got != n {
			t.Errorf("string of %d bytes comes back with %d", n, got)
		}
	}
}
