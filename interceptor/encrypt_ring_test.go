package interceptor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/message"
)

func setKeys(t *testing.T, e *Encrypt, send Key, accept ...Key) {
	t.Helper()
	if err := e.SetKeys(send, accept...); err != nil {
		t.Errorf("SetKeys = %v, want nil", err)
	}
}

// Keys change in the three steps of SetKeys, member by member, while messages go both
// ways all the time: not one is lost.
func TestKeyRotationLosesNothing(t *testing.T) {
	for _, c := range []Cipher{AESGCM, AESCBC} {
		t.Run(c.String(), func(t *testing.T) {
			before, after := testKey(t, 1), testKey(t, 2)
			a, b := &Encrypt{Key: before, Cipher: c}, &Encrypt{Key: before, Cipher: c}
			p := pairOf(t, interceptortest.Config{}, a, b)
			var work sync.WaitGroup
			var stop atomic.Bool
			var sent [2]int
			progress := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
			for i, way := range [][2]*interceptortest.Harness{{p.A, p.B}, {p.B, p.A}} {
				work.Go(func() {
					for ; !stop.Load() || sent[i] < 100; sent[i]++ {
						if err := way[0].Send(context.Background(), one(way[1].Local()), fmt.Append(nil, sent[i]), message.Sync); err != nil {
							t.Errorf("Send = %v, want nil", err)
						}
						if sent[i]%20 == 0 {
							select {
							case progress[i] <- struct{}{}:
							default: // nobody has waited for the last one
							}
						}
					}
				})
			}
			for _, keys := range [][]Key{{before, after}, {after, before}, {after}} {
				for i, e := range []*Encrypt{a, b} {
					setKeys(t, e, keys[0], keys[1:]...)
					for range 3 { // of which one is old, so that 20 messages have had these keys
						<-progress[i]
					}
				}
			}
			stop.Store(true)
			work.Wait()
			for i, h := range []*interceptortest.Harness{p.B, p.A} {
				if got := len(h.Top.Received()); got != sent[i] {
					t.Errorf("%d of %d messages were delivered", got, sent[i])
				}
			}
			for _, e := range []*Encrypt{a, b} {
				s := e.Stats()
				if s.Undecryptable != 0 || len(s.Keys) != 1 || s.Keys[0].Fingerprint != after.Fingerprint() {
					t.Errorf("Stats() = %+v, want the new key and nothing that could not be decrypted", s)
				}
			}
		})
	}
}

func TestSetKeys(t *testing.T) {
	k1, k2, k3 := testKey(t, 1), testKey(t, 2), testKey(t, 3)
	if err := new(Encrypt).SetKeys(k1); err == nil {
		t.Error("SetKeys of a layer in no channel = nil, want an error")
	}
	e := &Encrypt{Key: k1}
	h := newEncrypt(t, e, interceptortest.Config{})
	sentAs(t, h, nil, 0)
	sentAs(t, h, nil, 0)
	keys := func() []KeyStats { return e.Stats().Keys }
	setKeys(t, e, k2, k1, k2, k1)
	if d := cmp.Diff([]KeyStats{{k2.Fingerprint(), 0}, {k1.Fingerprint(), 2}}, keys()); d != "" {
		t.Errorf("Stats().Keys (-want +got):\n%s", d)
	}
	sentAs(t, h, nil, 0)
	for _, wrong := range [][]Key{{{}}, {k3, {}}} {
		if err := e.SetKeys(wrong[0], wrong[1:]...); err == nil {
			t.Errorf("SetKeys with no key among %d = nil, want an error", len(wrong))
		}
	}
	if d := cmp.Diff([]KeyStats{{k2.Fingerprint(), 1}, {k1.Fingerprint(), 2}}, keys()); d != "" {
		t.Errorf("after a SetKeys that failed (-want +got):\n%s", d)
	}
	bare := &Encrypt{Key: k1, Cipher: AESCBC, OldForm: true}
	newEncrypt(t, bare, interceptortest.Config{})
	if err := bare.SetKeys(k2, k1); err == nil || !strings.Contains(err.Error(), "OldForm") {
		t.Errorf("SetKeys with two keys that nothing tells apart = %v, want an error", err)
	}
	setKeys(t, bare, k2)
}

// Keys may be set by many at the same time as messages pass.
func TestSetKeysConcurrently(t *testing.T) {
	k1, k2 := testKey(t, 1), testKey(t, 2)
	e := &Encrypt{Key: k1, Accept: []Key{k2}}
	h := newEncrypt(t, e, interceptortest.Config{})
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			for n := range 100 {
				if (n+i)%2 == 0 {
					setKeys(t, e, k1, k2)
				} else {
					setKeys(t, e, k2, k1)
				}
				if err := h.Send(context.Background(), one(interceptortest.Member(2)), nil, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	keys := e.Stats().Keys
	if len(keys) != 2 || keys[0].Messages+keys[1].Messages != 400 {
		t.Errorf("Stats().Keys = %v, want two keys with 400 messages in all", keys)
	}
}

// A key warns at half and at seven eighths of what it may encrypt, and then encrypts
// nothing more; it goes on to decrypt.
func TestKeyIsUsedUp(t *testing.T) {
	rec := new(recorder)
	a, b := &Encrypt{Key: testKey(t, 1), MaxMessages: 16}, &Encrypt{Key: testKey(t, 1)}
	p := pairOf(t, rec.config(), a, b)
	ctx := context.Background()
	toB, toA := one(p.B.Local()), one(p.A.Local())
	send := func(h *interceptortest.Harness, want error) {
		t.Helper()
		to := toB
		if h == p.B {
			to = toA
		}
		if err := h.Send(ctx, to, []byte("x"), message.Sync); !errors.Is(err, want) {
			t.Fatalf("Send = %v, want %v", err, want)
		}
	}
	warned := func(want int) {
		t.Helper()
		var got int
		for _, line := range rec.log() {
			if strings.Contains(line, "should be replaced") && strings.Contains(line, a.Stats().Keys[0].Fingerprint) {
				got++
			}
		}
		if got != want {
			t.Fatalf("%d warnings after %d messages, want %d:\n%q", got, a.Stats().Keys[0].Messages, want, rec.log())
		}
	}
	for range 7 {
		send(p.A, nil)
	}
	warned(0)
	send(p.B, nil) // what is received counts as well
	warned(1)
	for range 5 {
		send(p.A, nil)
	}
	warned(1)
	send(p.A, nil)
	warned(2)
	send(p.A, nil)
	send(p.A, nil)
	for range 3 {
		send(p.A, ErrKeyUsedUp)
		send(p.B, nil)
	}
	warned(2)
	if s := a.Stats(); s.Refused != 3 || s.Sent != 15 || s.Received != 4 {
		t.Errorf("Stats() = %+v, want 15 sent, 3 refused and 4 received", s)
	}
	setKeys(t, b, testKey(t, 1), testKey(t, 2))
	setKeys(t, a, testKey(t, 2), testKey(t, 1))
	send(p.A, nil)
}

// The ivs of CBC may be equal without harm to both messages, so there is no limit.
func TestKeyOfCBCIsNotUsedUp(t *testing.T) {
	h := newEncrypt(t, &Encrypt{Key: testKey(t, 1), Cipher: AESCBC, MaxMessages: 1}, interceptortest.Config{})
	sentAs(t, h, nil, 0)
	sentAs(t, h, nil, 0)
}

// A member whose clock differs is named with its skew: before its messages are
// dropped, and when they are; the log has few lines of it.
func TestClockSkewIsTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rec := new(recorder)
		var off time.Duration
		sender := &Encrypt{Key: testKey(t, 1), Clock: func() time.Time { return time.Now().Add(off) }}
		receiver := &Encrypt{Key: testKey(t, 1)}
		from, h := newEncrypt(t, sender, interceptortest.Config{}), newEncrypt(t, receiver, rec.config())
		m := interceptortest.Member(2)
		come := func(d time.Duration, member int) error {
			off = d
			return h.Arrive(interceptortest.Member(member), sentAs(t, from, []byte("x"), 0).Payload(), 0)
		}
		for _, tt := range []struct {
			skew          time.Duration
			near, dropped uint64
			lines         int
			err           error
		}{
			{0, 0, 0, 0, nil},
			{5 * time.Second, 0, 0, 0, nil},
			{6 * time.Second, 1, 0, 1, nil},
			{-6 * time.Second, 2, 0, 1, nil},
			{11 * time.Second, 2, 1, 1, errTooNew},
			{-11 * time.Second, 2, 2, 1, errTooOld},
		} {
			if err := come(tt.skew, 2); !errors.Is(err, tt.err) {
				t.Errorf("skew %v: Receive = %v, want %v", tt.skew, err, tt.err)
			}
			var want []ClockSkew
			if tt.near > 0 {
				want = []ClockSkew{{Member: m, Skew: tt.skew, Near: tt.near, Dropped: tt.dropped}}
			}
			got := receiver.Stats().Skews
			if len(got) != len(want) || len(got) == 1 && (got[0].Skew != tt.skew || got[0].Near != tt.near || got[0].Dropped != tt.dropped || got[0].Member.Key() != m.Key()) {
				t.Errorf("skew %v: Stats().Skews = %v, want %v", tt.skew, got, want)
			}
			if got := rec.log(); len(got) != tt.lines {
				t.Errorf("skew %v: %d lines in the log, want %d: %q", tt.skew, len(got), tt.lines, got)
			}
		}
		time.Sleep(hush.Pause)
		_ = come(time.Hour, 2) // refused, as above
		lines := rec.log()
		if last := lines[len(lines)-1]; len(lines) != 2 || !strings.Contains(last, "skew=1h0m0s") || !strings.Contains(last, "dropped=3") || !strings.Contains(last, m.String()) {
			t.Errorf("log = %q, want a second line with the member, its skew and 3 messages dropped", lines)
		}
		for n := range 3 * maxSkews {
			_ = come(time.Hour, 100+n)
		}
		if got := len(receiver.Stats().Skews); got != maxSkews {
			t.Errorf("%d members with another clock are remembered, want %d", got, maxSkews)
		}
		if got := receiver.Stats(); got.TooNew != 2+3*maxSkews || got.TooOld != 1 {
			t.Errorf("Stats() = %+v", got)
		}
	})
}

// What was recorded does not come in by another way: neither under another name, which
// the head of a message has in the clear, nor after a restart, if it is older than the
// window.
func TestReplayUnderAnotherName(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		key := testKey(t, 1)
		sender := newEncrypt(t, &Encrypt{Key: key}, interceptortest.Config{})
		old := sentAs(t, sender, []byte("old"), 0).Payload()
		time.Sleep(defaultWindow + time.Millisecond)
		h := newEncrypt(t, &Encrypt{Key: key}, interceptortest.Config{})
		if err := h.Arrive(interceptortest.Member(2), old, 0); !errors.Is(err, errTooOld) {
			t.Errorf("Receive of what was sent before = %v, want %v", err, errTooOld)
		}
		recorded := bytes.Clone(sentAs(t, sender, []byte("new"), 0).Payload())
		for i, want := range []error{nil, errReplayed, errReplayed} {
			if err := h.Arrive(interceptortest.Member(2+i), recorded, message.Options(i)); !errors.Is(err, want) {
				t.Errorf("Receive from member %d = %v, want %v", 2+i, err, want)
			}
		}
		if got := len(h.Top.Received()); got != 1 {
			t.Errorf("delivered %d times, want once", got)
		}
	})
}
