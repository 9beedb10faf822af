package interceptor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gotribes/tribes/interceptor/interceptortest"
)

func TestParseKey(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // in the error; empty if there is none
	}{
		{"128 bits", key128, ""},
		{"192 bits", key256[:48], ""},
		{"256 bits", key256, ""},
		{"upper case", strings.ToUpper(key128), ""},
		{"nothing", "", "0 characters"},
		{"too short", key128[:30], "30 characters"},
		{"an odd digit", key128 + "0", "33 characters"},
		{"too long", key256 + "00", "66 characters"},
		{"no digit", "secret!!" + key128[8:], "not all"},
		{"a space", " " + key128[1:], "not all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := ParseKey(tt.text)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("ParseKey = %v, want an error that says %q", err, tt.want)
			}
			if err != nil {
				if len(tt.text) > 0 && strings.Contains(err.Error(), tt.text[:min(6, len(tt.text))]) {
					t.Errorf("the error shows what was given: %v", err)
				}
				return
			}
			if same, err := NewKey(unhex(t, tt.text)); err != nil || !same.Equal(k) || k.IsZero() {
				t.Errorf("NewKey of the same bytes = %v, %v, want an equal key", same, err)
			}
		})
	}
	for _, n := range []int{0, 15, 17, 33, 64} {
		if _, err := NewKey(make([]byte, n)); err == nil {
			t.Errorf("NewKey of %d bytes = nil, want an error", n)
		}
	}
}

func TestKeysAreToldApart(t *testing.T) {
	b := unhex(t, key128)
	a, err := NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 0xff
	other, err := NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case a.Equal(other) || a.Equal(Key{}) || !a.Equal(mustKey(t, key128)) || !(Key{}).Equal(Key{}):
		t.Error("Equal is wrong, or a key has changed with the bytes that it was made of")
	case a.Fingerprint() == other.Fingerprint() || len(a.Fingerprint()) != 8 || (Key{}).Fingerprint() != "":
		t.Errorf("fingerprints %q and %q, want two of 8 digits", a.Fingerprint(), other.Fingerprint())
	}
}

// However a key comes to be printed, its bytes are not.
func TestKeysAreNeverShown(t *testing.T) {
	raw := []byte("0123456789abcdef")
	k, err := NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	e := &Encrypt{Key: k, Accept: []Key{testKey(t, 7)}}
	interceptortest.New(t, interceptortest.Config{}, e)
	hidden := struct {
		k    Key
		keys []Key
		m    map[string]Key
	}{k, []Key{k}, map[string]Key{"k": k}}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%T", "%p"} {
		for _, v := range []any{k, &k, hidden, &hidden, e.ring.Load().keys, Encrypt{Key: k}.Key, []Key{k}} {
			fmt.Fprintf(&shown, verb+"\n", v)
		}
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(h).Info("key", "k", k, "p", &k, "hidden", hidden, "layer", slog.AnyValue([]Key{k}))
	}
	if err := json.NewEncoder(&shown).Encode(map[string]any{"k": k, "keys": []Key{k}}); err != nil {
		t.Fatal(err)
	}
	text := shown.String()
	for _, secret := range []string{
		string(raw), fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), strings.Trim(fmt.Sprint(raw[:4]), "[]"),
		strings.Trim(fmt.Sprintf("%#v", raw[:4]), "[]byte{}"), "MDEyMzQ1Njc4OWFiY2RlZg",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("the key is shown as %s in\n%s", secret, text)
		}
	}
	if n := strings.Count(text, redacted); n < 20 {
		t.Errorf("only %d of the lines say that a key was left out:\n%s", n, text)
	}
}

func TestParseCipher(t *testing.T) {
	for text, want := range map[string]Cipher{
		"AES/GCM/NoPadding": AESGCM, "aes/gcm/nopadding": AESGCM, "AES": AESGCM, "AES/CBC/PKCS5Padding": AESCBC,
	} {
		if got, err := ParseCipher(text); err != nil || got != want {
			t.Errorf("ParseCipher(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "DES", "AES/ECB/PKCS5Padding", "AES/CBC/NoPadding", "AES/GCM/PKCS5Padding", "AES/CTR/NoPadding"} {
		if _, err := ParseCipher(text); err == nil || !strings.Contains(err.Error(), "AES/GCM/NoPadding") {
			t.Errorf("ParseCipher(%q) = %v, want an error that says what is possible", text, err)
		}
	}
	if got := Cipher(9).String(); got != "cipher 9" {
		t.Errorf("String() of no cipher = %q", got)
	}
}
