package interceptor

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// Key is an AES key of an [Encrypt] layer. It is not shown by fmt, by slog, or in
// an error; [Key.Fingerprint] tells keys apart. The zero Key is no key.
type Key struct {
	get func() []byte // a function, since fmt shows all else that is unexported, if it is in another struct
}

func keyOf(b []byte) Key { return Key{func() []byte { return b }} }

// NewKey returns a key of 16, 24 or 32 bytes (AES-128, AES-192, AES-256), which are
// copied. They should come from a source of randomness: `openssl rand -hex 32`.
func NewKey(b []byte) (Key, error) {
	if !isKeySize(len(b)) {
		return Key{}, fmt.Errorf("tribes: encrypt: key of %d bytes: want 16, 24 or 32", len(b))
	}
	return keyOf(slices.Clone(b)), nil
}

// ParseKey reads a key in hexadecimal, upper or lower case, as Tribes has it in
// encryptionKey. The error does not repeat what was given.
func ParseKey(s string) (Key, error) {
	if !isKeySize(len(s)/2) || len(s)%2 != 0 {
		return Key{}, fmt.Errorf("tribes: encrypt: key of %d characters: want 32, 48 or 64 hexadecimal digits", len(s))
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return Key{}, fmt.Errorf("tribes: encrypt: key of %d characters: not all are hexadecimal digits", len(s))
	}
	return keyOf(b), nil
}

func isKeySize(n int) bool { return n == 16 || n == 24 || n == 32 }

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k.get == nil }

// Equal reports whether two keys have the same bytes, in a time that does not
// depend on them.
func (k Key) Equal(o Key) bool { return subtle.ConstantTimeCompare(k.bytes(), o.bytes()) == 1 }

func (k Key) bytes() []byte {
	if k.get == nil {
		return nil
	}
	return k.get()
}

// Fingerprint returns eight hexadecimal digits by which keys are told apart in logs
// and statistics: the first bytes of a SHA-256 over a constant text and the key. It
// says nothing about a key that was made at random. It is empty for the zero Key.
func (k Key) Fingerprint() string {
	if k.get == nil {
		return ""
	}
	h := sha256.New()
	h.Write([]byte("tribes encrypt key fingerprint\x00")) // never fails
	h.Write(k.get())
	return hex.EncodeToString(h.Sum(nil)[:4])
}

const redacted = "Key(redacted)"

// String returns a constant.
func (k Key) String() string { return redacted }

// Format implements [fmt.Formatter]: every verb writes what String returns.
func (k Key) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted) // fmt has no use for the error
}

// LogValue implements [slog.LogValuer]; it is what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// Cipher is how an [Encrypt] layer encrypts.
type Cipher uint8

// The ciphers.
const (
	// AESGCM encrypts and authenticates: what was changed on its way, or was made
	// without the key, is not delivered.
	AESGCM Cipher = iota
	// AESCBC is the default of older releases of Tribes. It hides messages from who
	// only listens. It does not protect from who can change them: see [Encrypt].
	AESCBC
)

var cipherNames = [...]string{AESGCM: "AES/GCM/NoPadding", AESCBC: "AES/CBC/PKCS5Padding"}

// String returns the name that Tribes has for c.
func (c Cipher) String() string {
	if int(c) < len(cipherNames) {
		return cipherNames[c]
	}
	return fmt.Sprintf("cipher %d", uint8(c))
}

// ParseCipher reads a name as Tribes has it in encryptionAlgorithm, in any case:
// AES/GCM/NoPadding, AES alone (which is the same), or AES/CBC/PKCS5Padding.
func ParseCipher(s string) (Cipher, error) {
	if strings.EqualFold(s, "AES") {
		return AESGCM, nil
	}
	for c, name := range cipherNames {
		if strings.EqualFold(s, name) {
			return Cipher(c), nil
		}
	}
	return 0, fmt.Errorf("tribes: encrypt: cipher %q: want %s or %s", s, AESGCM, AESCBC)
}
