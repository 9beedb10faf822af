package replmap

import (
	"bytes"
	"math"
	"testing"
)

// Values come back as they were, what was decoded has memory of its own, and bytes that no
// member writes are an error.
func TestCodecs(t *testing.T) {
	b, err := Bytes().Append([]byte("in front "), []byte{0, 255})
	must(t, err)
	if want := []byte("in front \x00\xff"); !bytes.Equal(b, want) {
		t.Errorf("Bytes: %q, want %q", b, want)
	}
	v, err := Bytes().Decode(b)
	must(t, err)
	b[0] = 'I'
	if v[0] != 'i' {
		t.Error("Bytes: the value aliases what it was decoded from")
	}
	for _, n := range []int64{0, -1, 1, math.MinInt64, math.MaxInt64} {
		b, err := Int64().Append(nil, n)
		must(t, err)
		if got, err := Int64().Decode(b); got != n || err != nil || len(b) != 8 {
			t.Errorf("Int64: %d, %v of %x, want %d", got, err, b, n)
		}
	}
	for _, bad := range []string{"", "1234567", "123456789"} {
		if _, err := Int64().Decode([]byte(bad)); err == nil {
			t.Errorf("Int64: %q was decoded", bad)
		}
	}
	if a, b := Bytes().Name(), Int64().Name(); a == b || a == "" || b == "" {
		t.Errorf("the names %q and %q do not tell them apart", a, b)
	}
}
