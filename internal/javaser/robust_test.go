package javaser

import (
	"bytes"
	"testing"
)

// decodeAll runs every decoding function on b and wants typed errors only.
// What decodes must also encode.
func decodeAll(t testing.TB, b []byte, lim Limits) {
	t.Helper()
	v, err := Decode(b, lim)
	checkTyped(t, err, len(b))
	if err == nil {
		mustAppend(t, v)
		v, err = Typed(v)
		checkTyped(t, err, len(b))
		if err == nil {
			mustAppend(t, v)
		}
	}
	_, err = DecodeStream(b, lim)
	checkTyped(t, err, len(b))
	_, err = DecodeRPC(b, lim)
	checkTyped(t, err, len(b))
	_, err = DecodeMemberMessage(b, lim)
	checkTyped(t, err, len(b))
	IsStream(b)
	IsRPC(b)
	IsMemberMessage(b)
}

// samples are inputs that between them hold every part of the format.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	list := make(map[string][]byte)
	for _, v := range vectors(t) {
		list[v.Name] = v.raw
	}
	list["rare kinds"] = stream(t, "73"+"72"+java("C")+"0000000000000001"+"03"+
		"0003"+"44"+java("d")+"4c"+java("o")+"74"+java("LO;")+"5b"+java("a")+"71007e0001"+
		"770161"+"78"+desc("D", "02", "0001"+"53"+java("s"))+
		"0001"+"3ff0000000000000"+"76"+desc("E", "00", "0000")+"75"+desc("[LO;", "02", "0000")+"00000002"+
		"7e"+desc("F", "12", "0000")+"74000141"+"7c000000000000000161"+
		"73"+"7d"+"00000001"+java("I")+"7870"+"71007e0002"+"7a0000000162"+"770163"+"7078")
	return list
}

// TestTruncation: nothing that ends too early decodes, and nothing panics.
func TestTruncation(t *testing.T) {
	for name, raw := range samples(t) {
		t.Run(name, func(t *testing.T) {
			decodeAll(t, raw, Limits{})
			mustDecode(t, raw)
			for n := range raw {
				cut := bytes.Clone(raw[:n])
				if _, err := Decode(cut, Limits{}); err == nil {
					t.Fatalf("Decode of the first %d bytes succeeds", n)
				}
				decodeAll(t, cut, Limits{})
			}
		})
	}
}

// TestBitFlips: damage anywhere gives an error or other data, never a panic.
func TestBitFlips(t *testing.T) {
	for name, raw := range samples(t) {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(raw)
			for i := 0; i < len(b); i += stride {
				for bit := range 8 {
					b[i] ^= 1 << bit
					decodeAll(t, b, Limits{})
					b[i] ^= 1 << bit
				}
			}
		})
	}
}

// TestByteInsertions: a byte too many shifts all lengths after it.
func TestByteInsertions(t *testing.T) {
	for name, raw := range samples(t) {
		if len(raw) > 700 {
			continue // the others hold the same parts
		}
		t.Run(name, func(t *testing.T) {
			for i := 0; i < len(raw); i += stride {
				for _, c := range []byte{0x00, 0x70, 0x71, 0x73, 0x77, 0x78, 0xff} {
					b := append(append(bytes.Clone(raw[:i]), c), raw[i:]...)
					decodeAll(t, b, Limits{})
				}
			}
		})
	}
}

// TestDecodeBorrows: no decoding function changes its input.
func TestDecodeBorrows(t *testing.T) {
	for name, raw := range samples(t) {
		b := bytes.Clone(raw)
		decodeAll(t, b, Limits{})
		if !bytes.Equal(b, raw) {
			t.Errorf("%s: the input has changed", name)
		}
	}
}
