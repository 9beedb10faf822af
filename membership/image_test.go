package membership

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/wire"
)

// damaged returns the image of a member of 77 bytes, edited.
func damaged(t *testing.T, edit func(b []byte) []byte) []byte {
	t.Helper()
	return edit([]byte(newMember(t, 1, nil).Image()))
}

// put overwrites 32 bits at an offset.
func put(at int, v int32) func(b []byte) []byte {
	return func(b []byte) []byte {
		binary.BigEndian.PutUint32(b[at:], uint32(v))
		return b
	}
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct {
		name   string
		in     []byte
		reason wire.Reason
		offset int
	}{
		{"nothing", nil, wire.Truncated, 0},
		{"garbage that is too short", []byte("GET / H"), wire.BadMagic, 0},
		{"garbage", []byte(strings.Repeat("x", 100)), wire.BadMagic, 0},
		{"half a magic", []byte("TRIBES"), wire.Truncated, 6},
		{"magic alone", []byte(beginMagic), wire.Truncated, 10},
		{"body length 0", damaged(t, put(10, 0)), wire.LengthMismatch, 10},
		{"body length 52", damaged(t, put(10, 52)), wire.LengthMismatch, 10},
		{"body length -1", damaged(t, put(10, -1)), wire.BadLength, 10},
		{"body length of the largest number", damaged(t, put(10, 1<<31-1)), wire.TooLarge, 10},
		{"body length above the limit", damaged(t, put(10, MaxImage-envelope+1)), wire.TooLarge, 10},
		{"body length past the end", damaged(t, put(10, 54)), wire.BadEnd, 68},
		{"body length far past the end", damaged(t, put(10, 1000)), wire.Truncated, 77},
		{"port -1", damaged(t, put(22, -1)), wire.BadPort, 22},
		{"port 65536", damaged(t, put(22, 65536)), wire.BadPort, 22},
		{"secure port -2", damaged(t, put(26, -2)), wire.BadPort, 26},
		{"secure port 65536", damaged(t, put(26, 65536)), wire.BadPort, 26},
		{"UDP port -2", damaged(t, put(30, -2)), wire.BadPort, 30},
		{"UDP port 65536", damaged(t, put(30, 65536)), wire.BadPort, 30},
		{"host of 0 bytes", damaged(t, func(b []byte) []byte { b[34] = 0; return b }), wire.BadHost, 34},
		{"host of 5 bytes", damaged(t, func(b []byte) []byte { b[34] = 5; return b }), wire.BadHost, 34},
		{"host of 127 bytes", damaged(t, func(b []byte) []byte { b[34] = 127; return b }), wire.BadHost, 34},
		{"host of 128 bytes", damaged(t, func(b []byte) []byte { b[34] = 128; return b }), wire.BadHost, 34},
		{"command length -1", damaged(t, put(39, -1)), wire.BadLength, 39},
		{"command length past the end", damaged(t, put(39, 25)), wire.LengthPastEnd, 39},
		{"command length of the largest number", damaged(t, put(39, 1<<31-1)), wire.LengthPastEnd, 39},
		{"command over the domain's length", damaged(t, put(39, 22)), wire.LengthMismatch, 65},
		{"command over the id", damaged(t, put(39, 4)), wire.LengthPastEnd, 47},
		{"domain length -1", damaged(t, put(43, -1)), wire.BadLength, 43},
		{"domain over the payload's length", damaged(t, put(43, 1)), wire.LengthMismatch, 64},
		{"payload length -1", damaged(t, put(63, -1)), wire.BadLength, 63},
		{"payload length past the end", damaged(t, put(63, 1)), wire.LengthPastEnd, 63},
		{"bytes left over inside", damaged(t, func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[10:], 54)
			return append(append(b[:67:67], 'x'), endMagic...)
		}), wire.LengthMismatch, 67},
		{"end magic of a frame", damaged(t, func(b []byte) []byte {
			return append(b[:67], "TLF2003..."...)
		}), wire.BadEnd, 67},
		{"half an end magic", damaged(t, func(b []byte) []byte { return b[:70] }), wire.Truncated, 70},
		{"command above the limit", oversized(t), wire.TooLarge, 39},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Decode(tt.in)
			want := FormatError{Reason: tt.reason, Offset: tt.offset}
			if got, ok := err.(*FormatError); !ok || *got != want {
				t.Errorf("Decode() = %v, want %v", err, &want)
			}
		})
	}
}

// oversized is an image with a command of MaxPart+1 bytes.
func oversized(t *testing.T) []byte {
	t.Helper()
	a := newMember(t, 1, nil).Attributes()
	a.Command = strings.Repeat("c", MaxPart+1)
	return appendImage(nil, &a)
}

func TestDecodeOfTheLargest(t *testing.T) {
	const rest = MaxImage - MinImage - MaxPart
	m := newMember(t, 1, func(a *Attributes) {
		a.Payload, a.Domain = strings.Repeat("p", MaxPart), strings.Repeat("d", rest)
	})
	if m.ImageSize() != MaxImage {
		t.Fatalf("ImageSize() = %d, want %d", m.ImageSize(), MaxImage)
	}
	checkDecode(t, []byte(m.Image()))
}

func TestDecodeIgnoresWhatFollows(t *testing.T) {
	want := newMember(t, 1, nil)
	got, n, err := Decode(append([]byte(want.Image()), beginMagic...))
	if err != nil || n != MinImage || got.Image() != want.Image() {
		t.Errorf("Decode of an image and more = %v, %d, %v, want %v, %d, nil", got, n, err, want, MinImage)
	}
}

// The member must not change with the buffer that it was decoded from.
func TestDecodeCopies(t *testing.T) {
	want := newMember(t, 1, func(a *Attributes) { a.Domain, a.Payload, a.Command = "domain", "payload", "command" })
	b := []byte(want.Image())
	m, _, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if m.Attributes() != want.Attributes() || m.Image() != want.Image() {
		t.Errorf("the member changed with the input: %+v, want %+v", m.Attributes(), want.Attributes())
	}
}

func TestHasImagePrefix(t *testing.T) {
	tests := []struct {
		in   string
		want bool
	}{
		{"", false},
		{beginMagic[:9], false},
		{beginMagic, true},
		{beginMagic + "x", true},
		{endMagic, false},
	}
	for _, tt := range tests {
		if got := HasImagePrefix([]byte(tt.in)); got != tt.want {
			t.Errorf("HasImagePrefix(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestAppendImage(t *testing.T) {
	m := newMember(t, 1, func(a *Attributes) { a.Alive, a.Payload = 5, "payload" })
	got := m.AppendImage([]byte("before"), -7)
	want := newMember(t, 1, func(a *Attributes) { a.Alive, a.Payload = -7, "payload" })
	if !bytes.Equal(got, []byte("before"+want.Image())) {
		t.Errorf("AppendImage(-7) = %x, want %x", got, "before"+want.Image())
	}
}

// A member of a view has another alive time than its image had.
func TestImageOfAgedMember(t *testing.T) {
	young := newMember(t, 1, func(a *Attributes) { a.Alive, a.Payload = 5, "payload" })
	want := newMember(t, 1, func(a *Attributes) { a.Alive, a.Payload = 90, "payload" })
	old := young.withAlive(90)
	if old.Image() != want.Image() || old.ImageSize() != want.ImageSize() {
		t.Errorf("Image() = %x, want %x", old.Image(), want.Image())
	}
	if !old.Is([]byte(want.Image())) || old.Is([]byte(young.Image())) || old.Is(nil) {
		t.Errorf("Is() must hold for the new image alone")
	}
	if young.withAlive(5) != young {
		t.Errorf("withAlive of the same time made another member")
	}
	if !sameButAlive(old, young) || !bytes.Equal(old.AppendImage(nil, 5), []byte(young.Image())) {
		t.Errorf("the aged member differs in more than its age")
	}
	if next, err := old.With(func(a *Attributes) { a.Payload = "x" }); err != nil || next.Alive() != old.Alive() {
		t.Errorf("With() = %v, %v, want the same age", next, err)
	}
}
