package wire

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestReasonString(t *testing.T) {
	seen := make(map[string]Reason)
	for r := Reason(1); r < NumReasons; r++ {
		text := r.String()
		if text == fmt.Sprintf("reason %d", r) {
			t.Errorf("Reason(%d) has no text", r)
		}
		if before, twice := seen[text]; twice {
			t.Errorf("the reasons %d and %d have the text %q", before, r, text)
		}
		seen[text] = r
	}
	for _, r := range []Reason{0, NumReasons, 255} {
		if got, want := r.String(), fmt.Sprintf("reason %d", uint8(r)); got != want {
			t.Errorf("Reason(%d).String() = %q, want %q", uint8(r), got, want)
		}
	}
}

func TestFormatError(t *testing.T) {
	err := error(&FormatError{Reason: BadMagic, Offset: 12})
	if got, want := err.Error(), "tribes: decode: bad magic at byte 12"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	tests := []struct {
		name   string
		target error
		want   bool
	}{
		{"same", &FormatError{BadMagic, 12}, true},
		{"any offset", &FormatError{BadMagic, -1}, true},
		{"other offset", &FormatError{BadMagic, 11}, false},
		{"other reason", &FormatError{BadEnd, 12}, false},
		{"other type", io.EOF, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wrapped := fmt.Errorf("reading: %w", err)
			if got := errors.Is(wrapped, tt.target); got != tt.want {
				t.Errorf("errors.Is(%v, %v) = %v, want %v", wrapped, tt.target, got, tt.want)
			}
		})
	}
}
