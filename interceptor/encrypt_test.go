package interceptor

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

// key128 and key256 are those of the vectors.
const (
	key128 = "000102030405060708090a0b0c0d0e0f"
	key256 = key128 + key128
)

func mustKey(tb testing.TB, hex string) Key {
	tb.Helper()
	k, err := ParseKey(hex)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// testKey is a key made of a byte.
func testKey(tb testing.TB, b byte) Key {
	tb.Helper()
	k, err := NewKey(bytes.Repeat([]byte{b}, 16))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// vectorTime is when the vectors were sent.
var vectorTime = time.UnixMilli(1700000000123)

// encryptVectors are those of Tribes, and what they were made with.
var encryptVectors = []struct {
	name, key string
	cipher    Cipher
	ivLen     int
}{
	{"encrypt-gcm-128", key128, AESGCM, 12},
	{"encrypt-cbc-256", key256, AESCBC, 16},
	{"stack-order-gzip-fragment40-encrypt", key128, AESGCM, 12},
}

func newEncrypt(tb testing.TB, e *Encrypt, cfg interceptortest.Config) *interceptortest.Harness {
	tb.Helper()
	h := interceptortest.New(tb, cfg, e)
	h.Start()
	return h
}

// unseal decrypts with the standard library alone.
func unseal(t *testing.T, c Cipher, key string, b []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(unhex(t, key))
	if err != nil {
		t.Fatal(err)
	}
	if c == AESCBC {
		text := make([]byte, len(b)-16)
		cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(text, b[16:])
		return text[:len(text)-int(text[len(text)-1])]
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	text, err := aead.Open(nil, b[:12], b[12:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEncryptVectorsOfTribesAreDecrypted(t *testing.T) {
	for _, tt := range encryptVectors {
		t.Run(tt.name, func(t *testing.T) {
			v := loadVector(t, tt.name)
			e := &Encrypt{Key: mustKey(t, tt.key), Cipher: tt.cipher, Clock: func() time.Time { return vectorTime }}
			h := newEncrypt(t, e, interceptortest.Config{})
			for i, frame := range v.frames {
				if err := arrive(t, h, frame.bytes); err != nil {
					t.Fatalf("Receive = %v, want nil", err)
				}
				f, from := parse(t, frame.bytes)
				got := h.Top.Received()[i]
				want := unseal(t, tt.cipher, tt.key, f.Message)[stampSize:]
				if len(v.frames) == 1 && !bytes.Equal(want, v.input[0]) {
					t.Fatalf("the standard library decrypts %q, want %q", want, v.input[0])
				}
				if d := cmp.Diff(want, got.Payload()); d != "" {
					t.Errorf("payload differs (-want +got):\n%s", d)
				}
				if got.Options != f.Options || got.ID != message.ID(f.ID) || got.Sent != f.Sent || got.Source.Key() != from.Key() {
					t.Errorf("options %s, id %s, time %d, from %s: want what the frame says", got.Options, got.ID, got.Sent, got.Source)
				}
			}
		})
	}
}

// With the iv of the vector the same bytes come out.
func TestEncryptMakesTheBytesOfTribes(t *testing.T) {
	for _, tt := range encryptVectors {
		t.Run(tt.name, func(t *testing.T) {
			s, err := (&Encrypt{Cipher: tt.cipher}).settings()
			if err != nil {
				t.Fatal(err)
			}
			ring, err := newKeyring(&s, nil, mustKey(t, tt.key), nil)
			if err != nil {
				t.Fatal(err)
			}
			k := ring.keys[0]
			for _, frame := range loadVector(t, tt.name).frames {
				f, _ := parse(t, frame.bytes)
				payload := unseal(t, tt.cipher, tt.key, f.Message)[stampSize:]
				b := make([]byte, s.sealedSize(k, len(payload)))
				copy(b, f.Message[:tt.ivLen])
				s.seal(k, b, f.Sent, payload)
				if d := cmp.Diff(f.Message, b); d != "" {
					t.Errorf("message differs (-want +got):\n%s", d)
				}
			}
		})
	}
}

// What the layer sends is what the format says, in both forms.
func TestEncryptSends(t *testing.T) {
	text := []byte("a message")
	for _, c := range []Cipher{AESGCM, AESCBC} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprint(c, " old form ", old), func(t *testing.T) {
				now := time.UnixMilli(987654321)
				e := &Encrypt{Key: mustKey(t, key256), Cipher: c, OldForm: old, Clock: func() time.Time { return now }}
				h := newEncrypt(t, e, interceptortest.Config{})
				want := text
				if !old {
					want = append(binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())), text...)
				}
				seen := make(map[string]bool)
				for range 100 {
					got := sentAs(t, h, text, message.ByteMessage|message.UseAck)
					if plain := unseal(t, c, key256, got.Payload()); !bytes.Equal(plain, want) {
						t.Fatalf("decrypted with the standard library: %x, want %x", plain, want)
					}
					if got.Options != message.ByteMessage|message.UseAck {
						t.Errorf("options %s, want those that were given", got.Options)
					}
					seen[string(got.Payload()[:12])] = true
				}
				if len(seen) != 100 {
					t.Errorf("100 messages have %d different ivs", len(seen))
				}
			})
		}
	}
}

// One message is encrypted once, whoever gets it.
func TestEncryptSendsOneMessageToAll(t *testing.T) {
	e := &Encrypt{Key: testKey(t, 1)}
	h := newEncrypt(t, e, interceptortest.Config{})
	to := interceptortest.Members(2, 6)
	if err := h.Send(context.Background(), to, []byte("for all"), message.Sync); err != nil {
		t.Fatal(err)
	}
	if sent := h.Bottom.Sent(); len(sent) != 1 || len(sent[0].To) != len(to) || e.Stats().Sent != 1 {
		t.Errorf("%d calls of the layer below and %d messages encrypted, want one of each", len(sent), e.Stats().Sent)
	}
}

func TestEncryptSizes(t *testing.T) {
	for _, c := range []Cipher{AESGCM, AESCBC} {
		for _, old := range []bool{false, true} {
			h := newEncrypt(t, &Encrypt{Key: testKey(t, 1), Cipher: c, OldForm: old}, interceptortest.Config{})
			for n := range 50 {
				plain := n
				if !old {
					plain += 8
				}
				want := 12 + plain + 16
				if c == AESCBC {
					want = 16 + (plain/16+1)*16
				}
				if got := sentAs(t, h, make([]byte, n), 0).Len(); got != want {
					t.Errorf("%s, old form %t: %d bytes become %d, want %d", c, old, n, got, want)
				}
			}
		}
	}
}

// pairOf is two stacks with a layer each.
func pairOf(tb testing.TB, cfg interceptortest.Config, a, b channel.Interceptor) *interceptortest.Pair {
	layers := []channel.Interceptor{a, b}
	return interceptortest.NewPair(tb, cfg, func() []channel.Interceptor {
		next := layers[0]
		layers = layers[1:]
		return []channel.Interceptor{next}
	})
}

// Members that do not fit together hear nothing of each other; with AESGCM the
// sender knows.
func TestEncryptSettingsThatDiffer(t *testing.T) {
	k1, k2 := testKey(t, 1), testKey(t, 2)
	tests := []struct {
		name       string
		from, to   channel.Interceptor
		refused    bool
		deliveries int
	}{
		{"the same", &Encrypt{Key: k1}, &Encrypt{Key: k1}, false, 1},
		{"the same, CBC", &Encrypt{Key: k1, Cipher: AESCBC}, &Encrypt{Key: k1, Cipher: AESCBC}, false, 1},
		{"another key", &Encrypt{Key: k1}, &Encrypt{Key: k2}, true, 0},
		{"another key that is accepted", &Encrypt{Key: k1}, &Encrypt{Key: k2, Accept: []Key{k1}}, false, 1},
		{"another key that is accepted, CBC", &Encrypt{Key: k1, Cipher: AESCBC}, &Encrypt{Key: k2, Cipher: AESCBC, Accept: []Key{k1}}, false, 1},
		{"another key, CBC", &Encrypt{Key: k1, Cipher: AESCBC}, &Encrypt{Key: k2, Cipher: AESCBC}, false, 0},
		{"another cipher", &Encrypt{Key: k1, Cipher: AESCBC}, &Encrypt{Key: k1}, true, 0},
		{"the old form to the new one", &Encrypt{Key: k1, OldForm: true}, &Encrypt{Key: k1}, true, 0},
		{"no layer", new(Throughput), &Encrypt{Key: k1}, true, 0},
		{"no layer, CBC", new(Throughput), &Encrypt{Key: k1, Cipher: AESCBC}, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pairOf(t, interceptortest.Config{}, tt.from, tt.to)
			to := p.B.Local()
			res := result(t, p.A.Post(context.Background(), one(to), bytes.Repeat([]byte("x"), 32), message.Sync), to)
			var remote *message.RemoteError
			if refused := res.Outcome == message.Refused && errors.As(res.Err, &remote); refused != tt.refused {
				t.Errorf("outcome %s, %v; refused should be %t", res.Outcome, res.Err, tt.refused)
			}
			if got := len(p.B.Top.Received()); got != tt.deliveries {
				t.Errorf("delivered %d times, want %d", got, tt.deliveries)
			}
			s := tt.to.(*Encrypt).Stats()
			if got := s.Undecryptable + s.TooOld + s.TooNew; got != uint64(1-tt.deliveries) || s.Received != uint64(tt.deliveries) {
				t.Errorf("Stats() = %+v", s)
			}
		})
	}
}

// Everything about a message that is no good is told in the same way with CBC, and
// refused with GCM.
func TestEncryptDrops(t *testing.T) {
	now := vectorTime
	for _, c := range []Cipher{AESGCM, AESCBC} {
		t.Run(c.String(), func(t *testing.T) {
			rec := new(recorder)
			e := &Encrypt{Key: mustKey(t, key256), Cipher: c, Clock: func() time.Time { return now }}
			h := newEncrypt(t, e, rec.config())
			seal := func(at time.Time, text string) []byte {
				k := e.ring.Load().keys[0]
				b := make([]byte, e.set.sealedSize(k, len(text)))
				copy(b, noise(16)[:k.iv()]) // never delivered, so that it may come twice
				e.set.seal(k, b, at.UnixMilli(), []byte(text))
				return b
			}
			good := sentAs(t, h, []byte("good"), 0).Payload()
			if err := h.Arrive(interceptortest.Member(2), good, message.Sync); err != nil {
				t.Fatalf("Receive = %v, want nil", err)
			}
			tests := []struct {
				payload []byte
				reason  string
			}{
				{nil, reasonUndecryptable},
				{[]byte("clear text"), reasonUndecryptable},
				{noise(64), reasonUndecryptable},
				{good[:len(good)-1], reasonUndecryptable},
				{good[:16], reasonUndecryptable},
				{append(bytes.Clone(good), 0), reasonUndecryptable},
				{good, reasonReplayed},
				{seal(now.Add(-10001*time.Millisecond), "old"), reasonTooOld},
				{seal(now.Add(10001*time.Millisecond), "new"), reasonTooNew},
			}
			var want []string
			for _, tt := range tests {
				err := h.Arrive(interceptortest.Member(2), tt.payload, message.Sync)
				if (err == nil) != (c == AESCBC) {
					t.Errorf("%s: Receive = %v; want an error with GCM and none with CBC", tt.reason, err)
				}
				want = append(want, "Encrypt: "+tt.reason)
			}
			if d := cmp.Diff(want, rec.drops()); d != "" {
				t.Errorf("dropped by the trace (-want +got):\n%s", d)
			}
			if got := len(h.Top.Received()); got != 1 {
				t.Errorf("%d messages were delivered, want the good one", got)
			}
			s := e.Stats()
			if s.Received != 1 || s.Undecryptable != 6 || s.Replayed != 1 || s.TooOld != 1 || s.TooNew != 1 {
				t.Errorf("Stats() = %+v", s)
			}
			if lines := strings.Join(rec.log(), "\n"); strings.Contains(lines, "good") || strings.Contains(lines, "clear text") {
				t.Errorf("the log shows what was in a message:\n%s", lines)
			}
		})
	}
}

// Every bit of a message counts, and every byte that is cut off.
func TestEncryptDamagedAnywhere(t *testing.T) {
	for _, c := range []Cipher{AESGCM, AESCBC} {
		t.Run(c.String(), func(t *testing.T) {
			e := &Encrypt{Key: testKey(t, 1), Cipher: c}
			h := newEncrypt(t, e, interceptortest.Config{})
			const text = "a text of some blocks, so that there is something to damage in it"
			good := bytes.Clone(sentAs(t, h, []byte(text), 0).Payload())
			given := 0
			try := func(b []byte) {
				given++
				if err := h.Arrive(interceptortest.Member(2), b, 0); (err == nil) != (c == AESCBC) {
					t.Fatalf("Receive of a damaged message = %v", err)
				}
			}
			for n := range good {
				try(good[:n])
				for bit := range 8 {
					b := bytes.Clone(good)
					b[n] ^= 1 << bit
					try(b)
				}
			}
			if got := len(h.Top.Received()); got != 0 && c == AESGCM {
				t.Errorf("%d damaged messages were delivered", got)
			}
			s := e.Stats()
			if got := s.Undecryptable + s.Replayed + s.TooNew + s.TooOld + s.Forgotten + s.Received; got != uint64(given) {
				t.Errorf("of %d messages %d were counted: %+v", given, got, s)
			}
		})
	}
}

func TestEncryptSettings(t *testing.T) {
	k := testKey(t, 1)
	tests := []struct {
		name  string
		layer *Encrypt
		want  []string // what the error names
	}{
		{"key alone", &Encrypt{Key: k}, nil},
		{"all given", &Encrypt{Key: k, Accept: []Key{testKey(t, 2), k}, Cipher: AESCBC, Window: time.Hour, WindowMessages: 1, MaxMessages: 1}, nil},
		{"no key", new(Encrypt), []string{"Key: none"}},
		{"nothing accepted", &Encrypt{Key: k, Accept: []Key{{}}}, []string{"Accept[0]"}},
		{"accepted without a way to tell", &Encrypt{Key: k, Accept: []Key{k}, Cipher: AESCBC, OldForm: true}, []string{"Accept", "OldForm"}},
		{"everything wrong", &Encrypt{Cipher: 7, Window: time.Microsecond, WindowMessages: -1}, []string{"Key", "Cipher 7", "Window 1", "WindowMessages -1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == nil {
				newEncrypt(t, tt.layer, interceptortest.Config{})
				if _, err := tt.layer.BindDown(nil, channel.Down{}); !errors.Is(err, errBound) {
					t.Errorf("second BindDown = %v, want %v", err, errBound)
				}
				return
			}
			_, err := tt.layer.BindDown(nil, channel.Down{})
			checkNames(t, err, tt.want)
		})
	}
}
