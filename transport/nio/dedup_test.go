package nio

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// dupRig has a memory and messages to ask it about.
type dupRig struct {
	testing.TB
	d    *dupMemory
	pool message.Pool
	now  int64
}

func newDupRig(t testing.TB, cfg DuplicateMemory) *dupRig {
	rxFill(&cfg.Window, defaultDupWindow)
	rxFill(&cfg.Bytes, defaultDupBytes)
	return &dupRig{TB: t, d: newDupMemory(cfg), now: 1}
}

func idOf(n uint64) message.ID {
	var id message.ID
	for i := range 8 {
		id[i] = byte(n >> (8 * i))
	}
	return id
}

// begin asks about a message.
func (g *dupRig) begin(cache *dupCache, from *membership.Member, id message.ID, payload string) (dupDelivery, bool) {
	m := g.pool.New(len(payload))
	defer m.Release()
	copy(m.Payload(), payload)
	m.ID, m.Source = id, from
	return g.d.begin(cache, &rxEntry{m: m}, g.now)
}

// is reports whether a message is known, and ends its delivery if not.
func (g *dupRig) is(cache *dupCache, from *membership.Member, id message.ID, payload string) bool {
	del, known := g.begin(cache, from, id, payload)
	if !known {
		del.end(verdict{})
	}
	return known
}

func TestDuplicateKey(t *testing.T) {
	a, b := testMember(t, "10.0.0.1", 4000), testMember(t, "10.0.0.1", 4000)
	older, err := a.With(func(x *membership.Attributes) { x.Alive = 5000 })
	if err != nil {
		t.Fatal(err)
	}
	long := string(make([]byte, 200<<10))
	tests := []struct {
		name    string
		from    *membership.Member
		id      message.ID
		payload string
		known   bool
	}{
		{"the same", a, idOf(1), "payload", true},
		{"the same member, described anew", older, idOf(1), "payload", true},
		{"another run of the member", b, idOf(1), "payload", false},
		{"another id", a, idOf(2), "payload", false},
		{"other bytes", a, idOf(1), "pAyload", false},
		{"another length", a, idOf(1), "payload ", false},
		{"empty", a, idOf(1), "", false},
		{"the same, long", a, idOf(3), long, true},
		{"long with another end", a, idOf(3), long[1:] + "x", false},
		{"long with another beginning", a, idOf(3), "x" + long[1:], false},
	}
	g := newDupRig(t, DuplicateMemory{})
	var first dupCache
	for id, payload := range map[uint64]string{1: "payload", 3: long} {
		if g.is(&first, a, idOf(id), payload) {
			t.Fatal("a new message is known")
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var cache dupCache
			if got := g.is(&cache, tt.from, tt.id, tt.payload); got != tt.known {
				t.Errorf("known = %v, want %v", got, tt.known)
			}
		})
	}
}

// TestDuplicateOddID has ids of foreign nodes that differ beyond the 16 bytes
// that ours have.
func TestDuplicateOddID(t *testing.T) {
	g := newDupRig(t, DuplicateMemory{})
	from := testMember(t, "10.0.0.1", 4000)
	var cache dupCache
	is := func(id string) bool {
		f := message.Frame{ID: []byte(id), Message: []byte("x")}
		m := g.pool.FromFrame(&f, from, nil)
		defer m.Release()
		del, known := g.d.begin(&cache, &rxEntry{m: m, oddID: len(id) != 16}, g.now)
		if !known {
			del.end(verdict{})
		}
		return known
	}
	for _, id := range []string{"", "short", "0123456789abcdef", "0123456789abcdefX", "0123456789abcdefY"} {
		if is(id) {
			t.Errorf("id %q is known at once", id)
		}
		if !is(id) {
			t.Errorf("id %q is not known the second time", id)
		}
	}
}

func TestDuplicateOutcome(t *testing.T) {
	g := newDupRig(t, DuplicateMemory{})
	from := testMember(t, "10.0.0.1", 4000)
	long := string(make([]byte, 1000))
	for i, want := range []verdict{{}, {true, "why"}, {true, ""}, {true, long}} {
		var one, other dupCache
		del, known := g.begin(&one, from, idOf(uint64(i)), "x")
		if known {
			t.Fatal("a new message is known")
		}
		var wg sync.WaitGroup
		for range 3 { // while the delivery runs
			rep, known := g.begin(&other, from, idOf(uint64(i)), "x")
			if !known {
				t.Fatal("a repeat is not known")
			}
			wg.Go(func() { // ends when the delivery does
				if got := rep.wait(); got.refused != want.refused || got.reason != want.reason[:min(len(want.reason), message.MaxReason)] {
					t.Errorf("wait() = %v, want %v", got, want)
				}
			})
		}
		del.end(want)
		wg.Wait()
		for range 2 { // and afterwards
			rep, known := g.begin(&other, from, idOf(uint64(i)), "x")
			if got := rep.wait(); !known || got.refused != want.refused || len(got.reason) > message.MaxReason {
				t.Errorf("wait() = %v, known %v, want %v", got, known, want)
			}
		}
	}
}

func TestDuplicateWindow(t *testing.T) {
	g := newDupRig(t, DuplicateMemory{Window: time.Second})
	from := testMember(t, "10.0.0.1", 4000)
	var cache dupCache
	running, _ := g.begin(&cache, from, idOf(1), "x")
	refused, _ := g.begin(&cache, from, idOf(2), "x")
	refused.end(verdict{true, "no"})
	waits, known := g.begin(&cache, from, idOf(1), "x")
	if !known {
		t.Fatal("a repeat is not known")
	}
	g.now += int64(time.Second)
	if !g.is(&cache, from, idOf(2), "x") {
		t.Error("a message is forgotten within the window")
	}
	g.now++
	if g.is(&cache, from, idOf(2), "x") || g.is(&cache, from, idOf(1), "x") {
		t.Error("a message is known after the window")
	}
	running.end(verdict{true, "late"})
	if got := waits.wait(); got.reason != "late" {
		t.Errorf("wait() = %v after the record was forgotten, want the verdict", got)
	}
	if n := len(cache.sender.extra); n != 0 {
		t.Errorf("%d reasons are kept for messages that are forgotten, want 0", n)
	}
}

// TestDuplicateGuard sends more than a full window of a sender.
func TestDuplicateGuard(t *testing.T) {
	g := newDupRig(t, DuplicateMemory{Bytes: 1 << 20})
	var cache dupCache
	from := testMember(t, "10.0.0.1", 4000)
	const sent = 3 * dupGuard
	for i := range uint64(sent) {
		if g.is(&cache, from, idOf(i), "x") {
			t.Fatalf("message %d is known at once", i)
		}
	}
	for i := uint64(sent - dupGuard); i < sent; i++ {
		if !g.is(&cache, from, idOf(i), "x") {
			t.Fatalf("message %d of %d is forgotten", i, sent)
		}
	}
	if g.is(&cache, from, idOf(0), "x") {
		t.Error("more is remembered than there is room for")
	}
	if got := g.d.bytes.Load(); got > 1<<20 {
		t.Errorf("%d bytes in use, want at most %d", got, 1<<20)
	}
}

// TestDuplicateBytes has many senders: the bytes stay bounded, and who was heard
// last is remembered.
func TestDuplicateBytes(t *testing.T) {
	const limit = 1 << 20
	g := newDupRig(t, DuplicateMemory{Bytes: limit})
	var last *membership.Member
	for i := range 600 {
		m, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("10.0.0.1"), Port: 4000,
			SecurePort: -1, UDPPort: -1, ID: membership.ID(idOf(uint64(i)))})
		if err != nil {
			t.Fatal(err)
		}
		g.now += int64(dupQuiet)
		var cache dupCache
		for n := range uint64(1 + i%200) {
			g.is(&cache, m, idOf(n), "x")
		}
		if got := g.d.bytes.Load(); got > limit+dupSenderCost+dupFirst*dupCost {
			t.Fatalf("%d bytes in use after %d senders, want at most %d", got, i, limit)
		}
		last = m
	}
	var cache dupCache
	if !g.is(&cache, last, idOf(0), "x") {
		t.Error("the sender heard last is forgotten")
	}
	var sum int64
	for i := range g.d.shards {
		for _, s := range g.d.shards[i].senders {
			sum += s.cost.Load()
			if want := dupSenderCost + int64(len(s.ring))*dupCost; s.cost.Load() != want {
				t.Errorf("a sender is charged with %d bytes, want %d", s.cost.Load(), want)
			}
		}
	}
	if got := g.d.bytes.Load(); got != sum {
		t.Errorf("%d bytes in the books, %d in the senders", got, sum)
	}
}

// TestDuplicateForgottenSender uses a sender that a connection still knows and
// that was forgotten for lack of room.
func TestDuplicateForgottenSender(t *testing.T) {
	g := newDupRig(t, DuplicateMemory{})
	from := testMember(t, "10.0.0.1", 4000)
	var cache dupCache
	del, _ := g.begin(&cache, from, idOf(1), "x")
	if !g.d.forgetOne(nil, g.now, 0) {
		t.Fatal("nothing was forgotten")
	}
	if g.is(&cache, from, idOf(1), "x") {
		t.Error("a message of a forgotten sender is known")
	}
	if !g.is(&cache, from, idOf(1), "x") {
		t.Error("the message is not known the second time")
	}
	del.end(verdict{})
}

// TestDuplicateRandom compares with a map.
func TestDuplicateRandom(t *testing.T) {
	g := newDupRig(t, DuplicateMemory{Window: 1000})
	from := testMember(t, "10.0.0.1", 4000)
	var cache dupCache
	rnd := rand.New(rand.NewPCG(1, 2))
	at := make(map[uint64]int64)
	for i := range 50_000 {
		g.now += int64(rnd.IntN(2))
		id := rnd.Uint64N(3000)
		begun, seen := at[id]
		want := seen && g.now-begun <= 1000
		if got := g.is(&cache, from, idOf(id), fmt.Sprint(id)); got != want {
			t.Fatalf("step %d, message %d: known = %v, want %v", i, id, got, want)
		}
		if !want {
			at[id] = g.now
		}
	}
}

// TestDuplicateConcurrent sends each message by several connections at once: it
// is new to one of them.
func TestDuplicateConcurrent(t *testing.T) {
	g := newDupRig(t, DuplicateMemory{Bytes: 1 << 20})
	from := testMember(t, "10.0.0.1", 4000)
	const conns, messages = 4, 4000 // fewer than are remembered, however far one gets ahead
	var mu sync.Mutex
	delivered := make(map[uint64]int)
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() { // ends after all messages
			var cache dupCache
			for n := range uint64(messages) {
				del, known := g.begin(&cache, from, idOf(n), "x")
				if known {
					if v := del.wait(); v.refused != (n%3 == 0) {
						t.Errorf("message %d: %v", n, v)
					}
					continue
				}
				mu.Lock()
				delivered[n]++
				mu.Unlock()
				del.end(verdict{refused: n%3 == 0})
			}
		})
	}
	wg.Wait()
	for n, times := range delivered {
		if times != 1 {
			t.Errorf("message %d was delivered %d times", n, times)
		}
	}
}
