package digest

import (
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// The finaliser and FNV-1a, against published values.
func TestHash(t *testing.T) {
	if got, want := New().Bytes([]byte("foobar")), Hash(0x85944171f73967e8); got != want {
		t.Errorf("FNV-1a of foobar = %x, want %x", got, want)
	}
	if got, want := Hash(1).End(), uint64(0xb456bcfc34c2cb2c); got != want {
		t.Errorf("finaliser of 1 = %x, want %x", got, want)
	}
}

// Strings have their length in front, and numbers eight bytes, the highest first.
func TestFields(t *testing.T) {
	got := New().String("ab").Uint64(0x0102030405060708).Byte('c')
	want := New().Bytes([]byte{0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 1, 2, 3, 4, 5, 6, 7, 8, 'c'})
	if got != want {
		t.Errorf("hash %x, want %x", got, want)
	}
}
