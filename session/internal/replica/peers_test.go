package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// A member with another codec, manager or version is no peer. That is counted, and one
// line in ten seconds says so, however long what it sent.
func TestIncompatibleMembers(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	tests := map[string]func(h *sessionwire.Hello){
		"codec":    func(h *sessionwire.Hello) { h.Codec = long },
		"manager":  func(h *sessionwire.Hello) { h.Manager = "\n" + long },
		"protocol": func(h *sessionwire.Hello) { h.MinVersion, h.MaxVersion = 2, 9 },
		"route":    func(h *sessionwire.Hello) { h.Route = long },
	}
	for what, set := range tests {
		inRig(t, func(r *rig) {
			n, x := r.start("a", nil), r.rogue("x")
			h := hello(sessionwire.Ready)
			set(h)
			for range 100 {
				if err := x.send(n, h); err == nil || !strings.Contains(err.Error(), what) {
					t.Fatalf("%s: %.100v", what, err)
				}
			}
			if s := n.Stats(); s.Incompatible != 100 || s.Peers != 0 {
				t.Errorf("%s: %+v", what, s)
			}
			if lines, size := n.log.count("no session replica"); lines != 1 || size > 1000 {
				t.Errorf("%s: %d lines, one of %d bytes", what, lines, size)
			}
		})
	}
}

// Two nodes of one route are told of, but not each time that one of them comes.
func TestSameRoute(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("rogue", nil), r.rogue("x")
		for range 50 {
			x.meet(n, sessionwire.Ready)
			must(t, x.send(n, &sessionwire.Bye{}))
		}
		if lines, _ := n.log.count("same route"); lines != 1 || n.Stats().Duplicates != 50 {
			t.Errorf("%d lines, %+v", lines, n.Stats())
		}
	})
}

// A provider that takes the question and gives nothing, or nothing new, costs a start a
// moment: the next one is asked.
func TestProviderThatGivesNothing(t *testing.T) {
	for _, how := range []string{"silence", "empty blocks", "wrong blocks"} {
		t.Run(how, func(t *testing.T) {
			inRig(t, func(r *rig) {
				x := r.rogue("x")
				good := r.start("a", nil)
				for i := range 10 {
					good.create(fmt.Sprintf("id-%d.a", i))
				}
				late := r.boot("z", nil)
				r.net.Isolate("a") // so that the rogue is the first to be asked
				over, bores := make(chan bool), sync.WaitGroup{}
				x.does(func(m sessionwire.Message) error {
					if q, ok := m.(*sessionwire.StateRequest); ok && how != "silence" {
						bores.Go(func() { x.bore(late, q.Request, how == "wrong blocks", over) })
					}
					return nil
				})
				x.meet(begin(t, late), sessionwire.Ready)
				time.Sleep(time.Second)
				if len(x.kinds(sessionwire.KindStateRequest)) == 0 {
					t.Errorf("the rogue is not asked: ready %v, %+v", late.Ready(), late.Stats())
				}
				r.net.Heal()
				now := time.Now()
				must(t, late.Start(context.Background()))
				if took := time.Since(now); took > 10*time.Second || late.Count() != 10 {
					t.Errorf("after %v: %d sessions", took, late.Count())
				}
				close(over)
				bores.Wait()
			})
		})
	}
}

// begin begins to start an engine, so that it can be met before it is ready.
func begin(t *testing.T, n *node) *node {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := n.Start(ctx); !errors.Is(err, ErrNotReady) {
		t.Fatal(err)
	}
	return n
}

// bore sends blocks that bring nothing, one a second.
func (x *rogue) bore(to *node, request uint64, wrong bool, over chan bool) {
	for i := range uint32(60) {
		b := &sessionwire.StateBlock{Request: request, Index: i}
		if wrong {
			b.Request, b.Index, b.Last = request+uint64(i%2), i+1, true
		}
		must(x.t, x.send(to, b))
		select {
		case <-over:
			return
		case <-time.After(time.Second):
		}
	}
}

// Blocks that nobody has asked for end no transfer, and what they bring is merged as
// anything else.
func TestUnaskedBlocks(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		x.meet(n, sessionwire.Loading) // so that it is not compared with
		for i := range uint64(20) {
			s, _ := x.made(1, nil)
			b := &sessionwire.StateBlock{Request: i, Index: uint32(i * i), Last: i%2 == 0, Sessions: []record.Snapshot{*s.Snapshot(0)}}
			must(t, x.send(n, b), x.send(n, &sessionwire.Digests{Request: i}), x.send(n, &sessionwire.Buckets{Request: i, Answer: true}))
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.loads)+len(n.checks) != 0 || n.Count() != 1 {
			t.Errorf("%d loads, %d checks, %d sessions", len(n.loads), len(n.checks), n.Count())
		}
	})
}

// A request does not decide how large the blocks of this node are.
func TestAbsurdStateRequest(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", func(c *Config) { c.BlockSessions, c.BlockBytes = 10, 4000 }), r.rogue("x")
		for i := range 95 {
			n.create(fmt.Sprintf("id-%d.a", i))
		}
		x.meet(n, sessionwire.Ready)
		for _, tt := range []struct{ sessions, bytes, blocks uint32 }{
			{1<<32 - 1, 1<<32 - 1, 10}, {0, 0, 10}, {1, 1, 95}, {1 << 31, 1, 95},
		} {
			x.does(nil)
			must(t, x.send(n, &sessionwire.StateRequest{Request: 7, Sessions: tt.sessions, Bytes: tt.bytes}))
			synctest.Wait()
			got, sessions := x.kinds(sessionwire.KindStateBlock), 0
			for _, m := range got {
				sessions += len(m.(*sessionwire.StateBlock).Sessions)
			}
			if len(got) != int(tt.blocks) || sessions != 95 {
				t.Errorf("%d of %d bytes: %d blocks with %d sessions", tt.sessions, tt.bytes, len(got), sessions)
			}
		}
	})
}

// A peer that asks without end and takes no answer does not keep others from theirs.
func TestQuestionsOfOnePeer(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x, y := r.start("a", nil), r.rogue("x"), r.rogue("y")
		n.create("id.a")
		x.meet(n, sessionwire.Ready)
		y.meet(n, sessionwire.Ready)
		hold := make(chan bool)
		x.does(func(sessionwire.Message) error { <-hold; return nil })
		for range 1000 {
			must(t, x.send(n, &sessionwire.StateRequest{Request: 1}), x.send(n, &sessionwire.Buckets{Request: 1}))
		}
		must(t, y.send(n, &sessionwire.StateRequest{Request: 1}))
		synctest.Wait()
		if len(y.kinds(sessionwire.KindStateBlock)) == 0 {
			t.Error("the other peer got no answer")
		}
		if s := n.Stats(); s.Refused < 1900 {
			t.Errorf("%+v", s)
		}
		close(hold)
	})
}

// A peer cannot say that it has more sessions than there can be.
func TestTooManyDigests(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", func(c *Config) { c.Sessions = 10 }), r.rogue("x")
		n.create("id.a")
		told := make(chan error, 100)
		x.does(func(m sessionwire.Message) error {
			q, ok := m.(*sessionwire.Buckets)
			if !ok || q.Answer {
				return nil
			}
			go func() {
				d := &sessionwire.Digests{Request: q.Request}
				for i := range uint64(21) {
					d.Sessions = append(d.Sessions, sessionwire.Digest{Key: record.Key{1: byte(i)}, Sum: i})
				}
				told <- x.send(n, d)
			}()
			return nil
		})
		x.meet(n, sessionwire.Ready)
		time.Sleep(time.Minute)
		if err := <-told; err == nil || !strings.Contains(err.Error(), errTooMany.Error()) {
			t.Errorf("%v", err)
		}
	})
}

// What a peer refuses is no acknowledged write: who made it is told. It is not told to
// those that come later, and the session goes on.
func TestRefusedWrite(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		x.meet(n, sessionwire.Ready)
		h := n.create("id.a")
		x.does(func(m sessionwire.Message) error {
			if m.Kind() == sessionwire.KindChange {
				return errors.New("no")
			}
			return nil
		})
		for range 100 {
			var refused *message.RemoteError
			if err := n.set(h, "k", "w"); !errors.As(err, &refused) || n.Stats().Current != 1 {
				t.Fatalf("Commit: %v, %+v", err, n.Stats())
			}
			must(t, n.Commit(context.Background(), h)) // of one that only reads
		}
		x.does(nil)
		must(t, n.set(h, "k", "x"))
		if f := h.Sent.(*flight); f.prev != nil {
			t.Error("what was before is kept for ever")
		}
		if s := n.Stats(); s.Rejected != 100 || s.LeftOut != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A peer that has forgotten this node, because it saw it fail, is brought back: it does
// not fail the writes of this node, and both have everything again.
func TestForgottenPeer(t *testing.T) {
	for _, how := range []string{"a write", "a greeting"} {
		t.Run(how, func(t *testing.T) {
			inRig(t, func(r *rig) {
				a, b := r.start("a", nil), r.start("b", nil)
				h := a.create("id.a")
				time.Sleep(time.Minute)
				b.peers.Drop(a.site.Node().ID()) // as if its heartbeats were lost
				if how == "a write" {
					must(t, a.set(h, "k", "w"))
				} else {
					b.peers.Meet(a.self())
				}
				time.Sleep(10 * time.Second)
				if a.Stats().Current != 1 || b.Stats().Current != 1 {
					t.Fatalf("a %+v, b %+v", a.Stats(), b.Stats())
				}
				must(t, b.set(b.create("new.b"), "k", "x"), a.set(h, "k", "z"))
				if a.get("new", "k") != "x" || b.get("id", "k") != "z" {
					t.Errorf("a has %q, b has %q", a.get("new", "k"), b.get("id", "k"))
				}
			})
		})
	}
}

// Who says goodbye and comes back at once is a peer.
func TestByeAndBack(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		for range 100 {
			x.meet(n, sessionwire.Ready)
			must(t, x.send(n, &sessionwire.Bye{}), x.send(n, hello(sessionwire.Ready)))
			synctest.Wait()
			if n.Stats().Peers != 1 {
				t.Fatal("forgotten")
			}
		}
	})
}

// However many nodes there are, each that starts knows all of them, and they know it.
func TestManyNodes(t *testing.T) {
	const count = 30
	inRig(t, func(r *rig) {
		var all []*node
		for i := range count {
			all = append(all, r.boot(fmt.Sprint("n", i), nil))
		}
		synctest.Wait()
		for _, n := range all {
			must(t, n.Start(context.Background()))
		}
		time.Sleep(5 * time.Second) // greetings that crossed are said again
		all[count-1].create("id.z")
		for i, n := range all {
			if s := n.Stats(); s.Current != count-1 || n.get("id", "k") != "v" {
				t.Errorf("node %d: %+v, %q", i, s, n.get("id", "k"))
			}
		}
	})
}
