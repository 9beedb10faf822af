package interceptor

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

// Whatever arrives: without the key nothing that GCM lets pass can be made, and what
// CBC lets pass is what the standard library decrypts. Nothing crashes, and with CBC
// nothing is told.
func FuzzEncryptReceive(f *testing.F) {
	for _, v := range encryptVectors {
		for _, frame := range loadVector(f, v.name).frames {
			data, _, err := message.Scan(frame.bytes, 0)
			if err != nil {
				f.Fatal(err)
			}
			parsed, err := message.ParseFrame(data)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(parsed.Message, v.cipher == AESCBC, false)
			f.Add(parsed.Message, v.cipher == AESCBC, true)
		}
	}
	f.Add([]byte{}, true, true)
	f.Add(make([]byte, 32), true, true)
	raw := unhex(f, key256)
	raw[0]++ // not the key of the vectors
	key, err := NewKey(raw)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, cbc, old bool) {
		e := &Encrypt{Key: key, OldForm: old}
		if cbc {
			e.Cipher = AESCBC
		}
		h := newEncrypt(t, e, interceptortest.Config{})
		err := h.Arrive(interceptortest.Member(2), b, 0)
		got := h.Top.Received()
		if (err == nil) != cbc {
			t.Errorf("Receive = %v", err)
		}
		if !cbc && len(got) != 0 {
			t.Fatalf("a message made without the key was delivered: %x", got[0].Payload())
		}
		if want, ok := cbcText(t, raw, b); cbc && old && (len(got) == 1) != ok || len(got) == 1 && old && !bytes.Equal(got[0].Payload(), want) {
			t.Errorf("%d messages were delivered, and the standard library decrypts %x, %t", len(got), want, ok)
		}
	})
}

// cbcText is what b decrypts to, if it is whole blocks with a right padding.
func cbcText(t *testing.T, key, b []byte) (text []byte, ok bool) {
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 32 || len(b)%16 != 0 {
		return nil, false
	}
	text = make([]byte, len(b)-16)
	cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(text, b[16:])
	n := int(text[len(text)-1])
	if n < 1 || n > 16 || !bytes.HasSuffix(text, bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, false
	}
	return text[:len(text)-n], true
}

// What is encrypted comes back as it was, with its stamp, and with no other key.
func TestEncryptRoundTrips(t *testing.T) {
	key, other := testKey(t, 9), testKey(t, 8)
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []encryptSettings{{}, {bare: true}, {cipher: AESCBC}, {cipher: AESCBC, bare: true}} {
		send, err := newKeyring(&s, nil, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		receive := send
		if s.cipher == AESGCM || !s.bare {
			if receive, err = newKeyring(&s, nil, other, []Key{key}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2000 {
			b, at := noise(r.IntN(200)), r.Int64N(2*century)-century
			k := send.keys[0]
			sealed := make([]byte, s.sealedSize(k, len(b)))
			binary.BigEndian.PutUint64(sealed, r.Uint64()) // an iv
			s.seal(k, sealed, at, b)
			dst := make([]byte, len(sealed))
			got, ok := receive.open(&s, dst, sealed, 0)
			text := dst[:got.n]
			if !s.bare && ok {
				text = text[stampSize:]
			}
			if !ok || !got.key.key.Equal(key) || !bytes.Equal(text, b) || !s.bare && got.at != at {
				t.Fatalf("%v: %d bytes sealed at %d came back as %d sealed at %d, %t", s, len(b), at, len(text), got.at, ok)
			}
		}
	}
}

// The padding is that of PKCS #7, and nothing else is.
func TestUnpad(t *testing.T) {
	for size := 16; size <= 32; size += 16 {
		for last := range 256 {
			for broken := -1; broken < 16; broken++ {
				b := bytes.Repeat([]byte{0xEE}, size)
				for i := range min(last, 16) {
					b[size-1-i] = byte(last)
				}
				b[size-1] = byte(last)
				if broken >= 0 {
					b[size-1-broken] ^= 0x40
				}
				want := int(b[size-1])
				good := want >= 1 && want <= 16 && bytes.HasSuffix(b, bytes.Repeat([]byte{byte(want)}, want))
				n, ok := unpad(b)
				if ok != good || ok && n != size-want {
					t.Fatalf("unpad(%x) = %d, %t, want %d, %t", b, n, ok, size-want, good)
				}
			}
		}
	}
}
