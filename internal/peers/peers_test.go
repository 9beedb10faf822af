package peers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestFlight(t *testing.T) {
	no := errors.New("no")
	tests := []struct {
		name    string
		mode    Wait
		settled []error // of two peers; nil has it
		gone    int     // peers that do not count any more
		done    bool
		acked   int
		err     error
	}{
		{"all, none yet", All, nil, 0, false, 0, nil},
		{"all, one of two", All, []error{nil}, 0, false, 1, nil},
		{"all", All, []error{nil, nil}, 0, true, 2, nil},
		{"all, one gone", All, []error{nil}, 1, true, 1, nil},
		{"all, one refused", All, []error{nil, no}, 0, true, 1, no},
		{"one", One, []error{nil}, 0, true, 1, nil},
		{"one, the other refused", One, []error{no, nil}, 0, true, 1, nil},
		{"one, refused so far", One, []error{no}, 0, false, 0, no},
		{"one, both gone", One, nil, 2, true, 0, nil},
		{"none", None, nil, 0, true, 0, nil},
		{"none, refused", None, []error{no}, 0, true, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFlight(tt.mode, 2)
			for _, err := range tt.settled {
				f.settle(err == nil, err)
			}
			for range tt.gone {
				f.settle(false, nil)
			}
			if done := closed(f.Done()); done != tt.done {
				t.Errorf("done %v", done)
			}
			if all := closed(f.All()); all != (len(tt.settled)+tt.gone == 2) {
				t.Errorf("all have answered: %v", all)
			}
			if acked, err := f.Outcome(); acked != tt.acked || err != tt.err {
				t.Errorf("Outcome() = %d, %v, want %d, %v", acked, err, tt.acked, tt.err)
			}
		})
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Who waits for a flight can give up.
func TestFlightContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	if _, err := newFlight(All, 1).Wait(ctx); err != why {
		t.Errorf("Wait: %v", err)
	}
}

// A node that starts gets all words, and all know each other.
func TestJoin(t *testing.T) {
	inTown(t, func(w *town) {
		a := w.start(1)[0]
		a.words["before"] = true
		b := w.start(2)[0]
		if !b.has("before") {
			t.Error("the word did not come")
		}
		if acked, err := b.write(All, "after"); acked != 1 || err != nil || !a.has("after") {
			t.Errorf("write: %d, %v", acked, err)
		}
		if all, current := a.Count(); all != 1 || current != 1 || a.State() != Ready {
			t.Errorf("%d peers, %d current, in state %d", all, current, a.State())
		}
	})
}

// Of several that start together one is ready by itself, the first by its id.
func TestJoinTogether(t *testing.T) {
	inTown(t, func(w *town) {
		var all []*node
		for _, id := range []byte{3, 1, 2} {
			n := w.node(id, nil)
			n.words[string(rune('0'+id))] = true
			all = append(all, n)
		}
		for _, n := range all {
			n.Go(n.Join)
		}
		for _, n := range all {
			<-n.ready
		}
		synctest.Wait()
		for _, n := range all {
			if !n.has("1") {
				t.Errorf("%v lacks what the first had", n.m)
			}
		}
	})
}

// A peer that gives nothing is left out, and another one asked.
func TestProviderFails(t *testing.T) {
	inTown(t, func(w *town) {
		all := w.start(1, 2)
		all[0].unloaded = errors.New("not now")
		all[1].words["k"] = true
		c := w.start(3)[0]
		if !c.has("k") {
			t.Error("the word did not come")
		}
		time.Sleep(10 * time.Second)
		if peers, current := c.Count(); peers != 2 || current != 2 {
			t.Errorf("%d peers, %d current", peers, current)
		}
	})
}

// Where nobody gives anything the owner decides what to do when the time is over.
func TestJoinTimeout(t *testing.T) {
	inTown(t, func(w *town) {
		w.start(1)[0].unloaded = errors.New("never")
		b := w.node(2, func(c *Config) { c.Timeout = time.Minute })
		begun := time.Now()
		b.Go(b.Join)
		<-b.ready
		if took := time.Since(begun); took < time.Minute || took > 70*time.Second {
			t.Errorf("ready after %v", took)
		}
	})
}

// A peer that does not answer is left out when its time is over, and gets what it lacks
// before writes wait for it again.
func TestSilentPeer(t *testing.T) {
	inTown(t, func(w *town) {
		all := w.start(1, 2, 3)
		a, b, c := all[0], all[1], all[2]
		w.hears(b, false)
		begun := time.Now()
		if acked, err := a.write(All, "k"); acked != 1 || err != nil {
			t.Errorf("write: %d, %v", acked, err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the write took %v", took)
		}
		if peers, current := a.Count(); peers != 2 || current != 1 || a.leftOut.Load() != 1 {
			t.Errorf("%d peers, %d current, %d left out", peers, current, a.leftOut.Load())
		}
		if acked, err := a.write(All, "l"); acked != 1 || err != nil || time.Since(begun) != time.Second {
			t.Errorf("write: %d, %v", acked, err)
		}
		w.hears(b, true)
		time.Sleep(10 * time.Second)
		if _, current := a.Count(); current != 2 || a.back.Load() != 1 || !b.has("k") || !b.has("l") || !c.has("k") {
			t.Errorf("%d current, back %d times, k %v, l %v", current, a.back.Load(), b.has("k"), b.has("l"))
		}
		if a.moved.Load() == 0 {
			t.Error("the owner was not told that something has moved")
		}
	})
}

// What a peer refuses is the error of the write, and counted; a peer that does not know
// this member is left out, and greeted anew.
func TestRefusals(t *testing.T) {
	inTown(t, func(w *town) {
		all := w.start(1, 2)
		a, b := all[0], all[1]
		b.says = errors.New("no")
		var refused *message.RemoteError
		if _, err := a.write(All, "k"); !errors.As(err, &refused) || a.refused.Load() != 1 || a.leftOut.Load() != 0 {
			t.Errorf("write: %v, %d refused, %d left out", err, a.refused.Load(), a.leftOut.Load())
		}
		b.says = nil
		b.Drop(a.m.ID())
		if acked, err := a.write(All, "l"); acked != 0 || err != nil || a.leftOut.Load() != 1 {
			t.Errorf("write: %d, %v, %d left out", acked, err, a.leftOut.Load())
		}
		time.Sleep(10 * time.Second)
		if _, current := a.Count(); current != 1 || !b.has("l") || !b.has("k") {
			t.Errorf("%d current", current)
		}
	})
}

// A member that has gone before it was met, so that nobody says that it has, is given up.
func TestMemberThatIsGone(t *testing.T) {
	inTown(t, func(w *town) {
		a := w.start(1)[0]
		gone := member(t, 9)
		if p, isNew, _ := a.Met(gone, Starting); p == nil || !isNew {
			t.Fatal("it is no peer")
		}
		a.Meet(gone)
		if acked, err := a.write(All, "k"); acked != 0 || err != nil { // of one that is not current
			t.Errorf("write: %d, %v", acked, err)
		}
		time.Sleep(time.Minute)
		if peers, _ := a.Count(); peers != 0 || a.Awaited() {
			t.Errorf("%d peers, awaited %v", peers, a.Awaited())
		}
	})
}

// A peer that no message shows to be gone is dropped when the group has not had it for two
// comparisons.
func TestPeerOutOfView(t *testing.T) {
	inTown(t, func(w *town) {
		a := w.start(1, 2)[0]
		a.Met(member(t, 9), Ready)
		for want := 2; want > 0; want-- {
			a.Compare()
			if peers, _ := a.Count(); peers != want {
				t.Errorf("%d peers, want %d", peers, want)
			}
		}
	})
}

// Members that come, leave and fail are met and dropped; a set that is closed has no new
// peers.
func TestEvents(t *testing.T) {
	inTown(t, func(w *town) {
		all := w.start(1, 2)
		a, b := all[0], all[1]
		a.MemberEvent(t.Context(), membership.Event{Kind: membership.Failed, Member: b.m})
		if peers, _ := a.Count(); peers != 0 {
			t.Errorf("%d peers", peers)
		}
		a.MemberEvent(t.Context(), membership.Event{Kind: membership.Joined, Member: b.m})
		time.Sleep(10 * time.Second)
		if peers, current := a.Count(); peers != 1 || current != 1 {
			t.Errorf("%d peers, %d current", peers, current)
		}
		a.Close()
		if p, _, _ := a.Met(member(t, 9), Ready); p != nil {
			t.Error("a peer after Close")
		}
	})
}

// A member is ready when all know that it is: one that was told otherwise does not wait for it.
func TestReadyWhenAllKnow(t *testing.T) {
	inTown(t, func(w *town) {
		b := w.start(1, 2)[1]
		c := w.node(3, func(c *Config) { c.Budget = 10 * time.Second })
		w.hears(b, false)
		time.AfterFunc(5*time.Second, func() { w.hears(b, true) })
		begun := time.Now()
		c.Go(c.Join)
		<-c.ready
		if took := time.Since(begun); took < 5*time.Second || took > 10*time.Second {
			t.Errorf("ready after %v", took)
		}
		if p := b.Get(c.m.ID()); p == nil {
			t.Error("it is no peer of one of the others")
		} else if stands, state := p.Is(); stands != Current || state != Ready {
			t.Errorf("for one of the others it stands at %d, in state %d", stands, state)
		}
	})
}

// A member that takes every greeting and has nothing is waited for as long as the budget, and
// so is one that does not answer at all.
func TestReadyWithoutStrangers(t *testing.T) {
	for name, deaf := range map[string]bool{"takes greetings": false, "does not answer": true} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(w *town) {
				w.start(1)
				x := w.node(9, nil)
				x.mute = true
				w.hears(x, !deaf)
				b := w.node(2, nil)
				begun := time.Now()
				b.Go(b.Join)
				<-b.ready
				if took := time.Since(begun); took < time.Second || took > 2*time.Second {
					t.Errorf("ready after %v", took)
				}
			})
		})
	}
}

// A peer that lacks what a change builds on is sent it whole, once. Of one that lacks that
// too, it is the refusal.
func TestContent(t *testing.T) {
	inTown(t, func(w *town) {
		all := w.start(1, 2, 3)
		a, b, c := all[0], all[1], all[2]
		b.says = errLacks
		tell := func(word string) (acked int, err error) {
			return TellEach(All, a.All(), func(p *neighbour) Content {
				x := Content{Body: []byte(word)}
				if p.Node == b.m.ID() {
					x.Whole = func() []byte {
						b.answer(nil)
						return []byte("all of " + word)
					}
				}
				return x
			}).Wait(context.Background())
		}
		if acked, err := tell("k"); acked != 2 || err != nil || a.resent.Load() != 1 {
			t.Errorf("%d have it, %v, sent %d times again", acked, err, a.resent.Load())
		}
		if b.has("k") || !b.has("all of k") || !c.has("k") || c.has("all of k") {
			t.Error("one has got what is for the other")
		}
		c.says = errLacks // and there is nothing else for it
		var refused *message.RemoteError
		if _, err := tell("l"); !errors.As(err, &refused) || a.refused.Load() != 1 || a.resent.Load() != 1 {
			t.Errorf("%v, %d refused, sent %d times again", err, a.refused.Load(), a.resent.Load())
		}
	})
}

// What has waited for a peer is settled in the order in which it was sent, so that a
// simulation that is repeated goes on in the same way.
func TestOrderOfRelease(t *testing.T) {
	inTown(t, func(w *town) {
		all := w.start(1, 2)
		a, b := all[0], all[1]
		w.hears(b, false)
		var sent []*Flight
		for range 50 {
			sent = append(sent, Tell(All, []byte("k"), a.All()))
		}
		p := a.Get(b.m.ID())
		p.mu.Lock()
		waiting := p.release()
		p.mu.Unlock()
		if len(waiting) != len(sent) {
			t.Fatalf("%d wait, want %d", len(waiting), len(sent))
		}
		for i, w := range waiting {
			if w.f != sent[i] {
				t.Fatalf("number %d is another one", i)
			}
		}
		let(waiting)
		for i, f := range sent {
			if !closed(f.Done()) {
				t.Errorf("number %d waits", i)
			}
		}
	})
}

// A peer in doubt is greeted, and not again at once.
func TestDoubt(t *testing.T) {
	inTown(t, func(w *town) {
		all := w.start(1, 2)
		a, b := all[0], all[1]
		p, before := a.Get(b.m.ID()), b.greetings.Load()
		for range 5 {
			a.Doubt(p)
			synctest.Wait()
		}
		if n := b.greetings.Load() - before; n != 1 {
			t.Errorf("greeted %d times", n)
		}
		time.Sleep(time.Second)
		a.Doubt(p)
		synctest.Wait()
		if n := b.greetings.Load() - before; n != 2 {
			t.Errorf("greeted %d times", n)
		}
	})
}
