package replica

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// FuzzReceive: whatever two members say, one after the other, the engine does not panic,
// keeps its limits and its books, does not touch the bytes, and goes on to serve. The
// seeds are the golden messages; those members are the nodes that they name.
func FuzzReceive(f *testing.F) {
	all := golden(f)
	for _, first := range all {
		f.Add(first, all["change"])
		f.Add(all["state-block"], first)
	}
	r := newRig(f)
	n := r.start("a", func(c *Config) {
		c.Sessions, c.Discover, c.Budget, c.Stall = 100, time.Millisecond, time.Millisecond, time.Millisecond
	})
	f.Cleanup(r.stop)
	from := []*membership.Member{phantom(f, 'a'), phantom(f, 'b')}
	var mu sync.Mutex
	f.Fuzz(func(t *testing.T, one, two []byte) {
		mu.Lock()
		defer mu.Unlock()
		for i, b := range [][]byte{one, two} {
			must(t, n.met(from[i], hello(sessionwire.Ready)))
			m := pool.New(len(b))
			m.Source = from[i]
			copy(m.Payload(), b)
			err := n.receive(context.Background(), m)
			if !bytes.Equal(m.Payload(), b) {
				t.Fatal("the bytes have changed")
			}
			clear(m.Payload()) // whoever keeps a part of it has it no more
			m.Release()
			if _, bad := sessionwire.Decode(b); bad != nil && err == nil {
				t.Fatalf("%x was taken: %v", b, bad)
			}
		}
		checkBooks(t, n)
	})
}

var pool message.Pool

// phantom is a member that nobody answers for.
func phantom(t testing.TB, name byte) *membership.Member {
	t.Helper()
	m, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("10.9.9.9"), Port: 4000, ID: membership.ID{0: name, 15: 1}})
	must(t, err)
	return m
}

// checkBooks checks that the table holds what it says, and within its limit.
func checkBooks(t *testing.T, n *node) {
	t.Helper()
	count := 0
	for h := range n.All() {
		h.Mu.RLock()
		id, whole, gone := h.Rec.ID(), h.Whole == nil, h.Gone()
		h.Mu.RUnlock()
		count++
		if whole && !gone && id == "" {
			t.Fatalf("session %v is whole and has no id", h.Rec.Key())
		}
	}
	if limit := 2 * n.cfg.Sessions; count > limit || n.Count() > limit {
		t.Fatalf("%d sessions, %d counted", count, n.Count())
	}
	n.tombs.mu.Lock()
	defer n.tombs.mu.Unlock()
	if len(n.tombs.m) > maxTombs {
		t.Fatalf("%d ends are remembered", len(n.tombs.m))
	}
}

// Of changes that come from several peers at the same time, the first of a session, a
// bad one does not take the session away from the good ones, and it is whole.
func TestFirstChangesAtTheSameTime(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x, y := r.start("a", func(c *Config) { c.Limits.Value = 10 }), r.rogue("x"), r.rogue("y")
		x.meet(n, sessionwire.Ready)
		y.meet(n, sessionwire.Ready)
		px, py := n.peers.Get(x.node().ID()), n.peers.Get(y.node().ID())
		for i := range uint64(300) {
			_, good := x.made(i, nil)
			_, bad := y.made(i, func(s *record.Session) { must(t, s.Set("k", make([]byte, 11))) })
			var both sync.WaitGroup
			both.Go(func() { must(t, n.change(px, &good.Change)) })
			both.Go(func() {
				if n.change(py, &bad.Change) == nil {
					t.Error("taken")
				}
			})
			both.Wait()
			h := n.Peek(good.IDs[0].Text)
			if h == nil || h.Whole != nil || n.tab.Get(h.Rec.Key()) != h {
				t.Fatalf("round %d: the session is lost, or not whole", i)
			}
		}
	})
}
