package interceptor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// startAll starts members on hosts whose addresses rise with their order.
func (e *electors) startAll(names ...string) {
	e.t.Helper()
	for _, name := range names {
		e.start(name)
	}
}

// expectLeader checks who coordinates, by the name of its host, as those say.
func (e *electors) expectLeader(want string, names ...string) {
	e.t.Helper()
	synctest.Wait()
	for _, name := range names {
		got := e.on[name].co.Leadership()
		if got.Coordinator == nil || got.Coordinator.Payload() != want || got.Local != (name == want) {
			e.t.Errorf("%s says %+v, want %s to coordinate", name, got, want)
		}
	}
}

// patient is a bound for what takes a membership and an election, in virtual time.
const patient = 6 * time.Second

func TestElection(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.startAll("a", "b", "c")
		e.agree(patient, "a", "b", "c")
		e.expectLeader("a", "a", "b", "c")
		first := e.on["b"].Agreed()

		e.end("a", true) // the coordinator is killed
		took := e.agree(dropTime+2*time.Second, "b", "c")
		e.expectLeader("b", "b", "c")
		t.Logf("another coordinator %v after the kill", took)
		if now := e.on["b"].Agreed(); now.Term() <= first.Term() {
			t.Errorf("term %d after %d, want a greater one", now.Term(), first.Term())
		}

		e.start("a") // it comes back, is the first again and takes over
		e.agree(patient, "a", "b", "c")
		e.expectLeader("a", "a", "b", "c")

		e.end("c", false) // another one leaves
		if took := e.agree(time.Second, "a", "b"); took > 100*time.Millisecond {
			t.Errorf("a view without a member that has left took %v, want no waiting", took)
		}
		e.end("a", false) // the coordinator leaves
		if took := e.agree(time.Second, "b"); took > 100*time.Millisecond {
			t.Errorf("a view without a coordinator that has left took %v, want no waiting", took)
		}
		e.judge()
	})
}

// A member that finds no others coordinates alone, but not before it has looked
// for some.
func TestAloneMemberWaitsBeforeItCoordinates(t *testing.T) {
	for _, tt := range []struct{ alone, least, most time.Duration }{
		{0, defaultAlone, defaultAlone + 200*time.Millisecond},
		{-1, 0, 200 * time.Millisecond},
		{5 * time.Second, 5 * time.Second, 5*time.Second + 200*time.Millisecond},
	} {
		bubble.Test(t, func(t *testing.T) {
			e := newElectors(t, mem.Config{Seed: 1})
			e.layers = func() *NonBlockingCoordinator { return &NonBlockingCoordinator{Alone: tt.alone} }
			begin := time.Now()
			e.start("a")
			for range e.on["a"].co.Changes(t.Context()) {
				if e.on["a"].co.IsCoordinator() {
					break
				}
			}
			if took := time.Since(begin); took < tt.least || took > tt.most {
				t.Errorf("Alone %v: coordinates after %v, want %v to %v", tt.alone, took, tt.least, tt.most)
			}
		})
	}
}

// What is not promised: while a network is split each side has a coordinator. The
// term tells them apart, and that of the view after the heal is above both.
func TestPartitionHasTwoCoordinators(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.startAll("a", "b", "c", "d")
		e.agree(patient, "a", "b", "c", "d")
		e.nw.Partition([]string{"a", "b"}, []string{"c", "d"})
		e.agree(patient, "a", "b")
		e.agree(patient, "c", "d")
		e.expectLeader("a", "a", "b")
		e.expectLeader("c", "c", "d")
		left, right := e.on["a"].co.Leadership().Term, e.on["c"].co.Leadership().Term
		if left == right {
			t.Errorf("both sides have the term %d", left)
		}
		e.nw.Heal()
		took := e.agree(patient, "a", "b", "c", "d")
		e.expectLeader("a", "a", "b", "c", "d")
		if now := e.on["d"].co.Leadership().Term; now <= max(left, right) {
			t.Errorf("the term after the heal is %d, want one above %d and %d", now, left, right)
		}
		t.Logf("one view %v after the heal", took)
		e.judge()
	})
}

// With a quorum of more than half, one side at most has a coordinator when both
// have noticed the split.
func TestQuorumLeavesOneCoordinator(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.layers = func() *NonBlockingCoordinator { return &NonBlockingCoordinator{Quorum: 3} }
		e.startAll("a", "b", "c", "d", "e")
		e.agree(patient, "a", "b", "c", "d", "e")
		e.nw.Partition([]string{"a", "b"}, []string{"c", "d", "e"})
		e.agree(patient, "c", "d", "e")
		time.Sleep(patient)
		e.expectLeader("c", "c", "d", "e")
		for _, name := range []string{"a", "b"} {
			if got := e.on[name].co.Leadership(); got.Coordinator != nil || got.Local || len(got.Members) != 2 {
				t.Errorf("%s says %+v, want no coordinator and a view of two", name, got)
			}
		}
		e.nw.Heal()
		e.agree(patient, "a", "b", "c", "d", "e")
		e.judge()
	})
}

// Members that come at the same time make few views.
func TestTwentyMembersJoinAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: 2 * time.Millisecond, Jitter: 5 * time.Millisecond}})
		var names []string
		for i := range 20 {
			names = append(names, fmt.Sprint("host", i))
		}
		e.startAll(names...)
		took := e.agree(patient, names...)
		for _, name := range names {
			if got := e.on[name].co.Stats().Views; got >= 20 {
				t.Errorf("%s has installed %d views, want less than 20", name, got)
			}
		}
		t.Logf("one view of 20 after %v, view %d of the last", took, e.on["host19"].Agreed().Seq)
		e.judge()
	})
}

// A group with a coordinator of other members' making is not disturbed: without
// changes nothing is sent.
func TestSettledGroupIsSilent(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.startAll("a", "b", "c")
		e.agree(patient, "a", "b", "c")
		time.Sleep(10 * time.Second)
		before := make(map[string]CoordinatorStats)
		for name, n := range e.on {
			before[name] = n.co.Stats()
		}
		time.Sleep(10 * time.Minute)
		for name, n := range e.on {
			if got := n.co.Stats(); got != before[name] {
				t.Errorf("%s: %+v after ten minutes, want %+v", name, got, before[name])
			}
		}
	})
}

// mute is a layer below a coordinator that loses the tokens that match.
type mute struct {
	lose func(t coordToken) bool
}

func (l *mute) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) { return below, nil }

func (l *mute) BindUp(above channel.Up) channel.Up {
	up := above
	up.Receive = func(ctx context.Context, m *message.Message) error {
		if t, err := decodeToken(m.Payload(), 100); err == nil && l.lose(t) {
			return nil // it was acknowledged already
		}
		return above.Receive(ctx, m)
	}
	return up
}

// A request or a confirmation that was acknowledged and got lost nevertheless is
// made up for.
func TestLostTokensAreMadeUpFor(t *testing.T) {
	for _, confirm := range []bool{false, true} {
		for who, name := range []string{"a", "b", "c"} {
			if who == 0 && confirm {
				continue // nobody confirms anything to the first
			}
			bubble.Test(t, func(t *testing.T) {
				var lost atomic.Int32
				var armed atomic.Bool
				e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
				for _, host := range []string{"a", "b", "c"} {
					e.below = nil
					if host == name {
						e.below = []channel.Interceptor{&mute{lose: func(t coordToken) bool {
							return armed.Load() && t.confirm == confirm && lost.Add(1) <= 2
						}}}
					}
					e.start(host)
				}
				e.agree(patient, "a", "b", "c")
				armed.Store(true)
				e.below = nil
				e.start("d")
				took := e.agree(convergence, "a", "b", "c", "d")
				e.judge()
				if lost.Load() < 2 {
					t.Errorf("%s: %d tokens were lost, want 2", name, lost.Load())
				}
				t.Logf("confirmations %t, lost twice at %s: one view after %v", confirm, name, took)
			})
		}
	}
}

// The coordinator is killed in the middle of an election, with the request or the
// confirmation on its way; and so is the one that has the request.
func TestKillDuringAnElection(t *testing.T) {
	for _, victim := range []string{"a", "b"} {
		for step := range 6 {
			bubble.Test(t, func(t *testing.T) {
				e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: 10 * time.Millisecond}})
				e.startAll("a", "b", "c", "d")
				e.agree(patient, "a", "b", "c", "d")
				e.start("e") // an election begins
				time.Sleep(time.Duration(step)*20*time.Millisecond + time.Millisecond)
				e.end(victim, true)
				left := slices.DeleteFunc([]string{"a", "b", "c", "d", "e"}, func(s string) bool { return s == victim })
				e.agree(dropTime+patient, left...)
				e.expectLeader(left[0], left...)
				e.judge()
			})
		}
	}
}

// An election that cannot end, because a member without the layer swallows what
// goes round, is told; membership and messages go on, and it ends with the member.
func TestElectionThatCannotEndIsTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.startAll("a", "b")
		e.agree(patient, "a", "b")
		stranger := newNode(t, e.nw, "c")
		time.Sleep(defaultElectionTimeout - time.Second)
		if got := e.on["a"].co.Stats(); got.Stalled != 0 || got.Waiting == 0 || got.Again == 0 {
			t.Errorf("before Timeout: %+v, want it to wait and to send again", got)
		}
		time.Sleep(2 * time.Second)
		for _, name := range []string{"a", "b"} {
			if got := e.on[name].co.Stats(); got.Stalled != 1 || got.Waiting < defaultElectionTimeout {
				t.Errorf("%s after Timeout: %+v, want one stalled election", name, got)
			}
		}
		e.expectLeader("a", "a", "b")
		if _, err := e.on["a"].SendAll(t.Context(), []byte("hello"), message.Sync); err != nil {
			t.Errorf("SendAll meanwhile = %v, want nil", err)
		}
		if err := stranger.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := e.on["a"].co.Stats(); got.Waiting != 0 {
			t.Errorf("when it has left: %+v, want nothing to wait for", got)
		}
	})
}

// Whoever reports members and delivers messages goes on while an election does:
// Java blocks the thread for up to 15 s.
func TestElectionsBlockNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := new(NonBlockingCoordinator)
		h := interceptortest.New(t, interceptortest.Config{Local: interceptortest.Member(50)}, c)
		h.Bottom.Hold() // nobody acknowledges a token
		h.Start()
		begin := time.Now()
		h.Join(interceptortest.Members(1, 30)...)
		h.Flush()
		if err := h.Arrive(interceptortest.Member(1), []byte("hello"), message.ByteMessage|message.Sync); err != nil {
			t.Errorf("Receive = %v, want nil", err)
		}
		if err := h.Arrive(interceptortest.Member(1), (&coordToken{leader: h.Local(), source: h.Local(),
			members: []*membership.Member{interceptortest.Member(1), interceptortest.Member(99)}, id: membership.NewViewID(1)}).append(nil), message.UseAck); err != nil {
			t.Errorf("Receive of a token = %v, want nil", err)
		}
		if took := time.Since(begin); took != 0 || len(h.Top.Events()) != 30 || len(h.Top.Received()) != 1 {
			t.Errorf("%d events and %d messages took %v, want 30, 1 and no time", len(h.Top.Events()), len(h.Top.Received()), took)
		}
	})
}

// Messages that come while a view is being installed wait for its end.
func TestMessagesWaitForTheViewToBeInstalled(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := interceptortest.New(t, interceptortest.Config{}, &NonBlockingCoordinator{Alone: -1})
		installing, done := make(chan struct{}), make(chan struct{})
		h.Top.Accept(func(*membership.Agreed) {
			close(installing)
			<-done
		})
		h.Start()
		<-installing
		received := make(chan error, 1)
		go func() { received <- h.Arrive(peer, []byte("hello"), message.ByteMessage) }() // ends with the view
		synctest.Wait()
		if got := h.Top.Received(); len(got) != 0 {
			t.Errorf("%d messages were delivered while a view was installed, want none", len(got))
		}
		close(done)
		if err := <-received; err != nil || len(h.Top.Received()) != 1 {
			t.Errorf("Receive = %v and %d messages, want nil and one", err, len(h.Top.Received()))
		}
	})
}

func TestNonBlockingCoordinatorSettings(t *testing.T) {
	for _, tt := range []struct {
		c    *NonBlockingCoordinator
		want string
	}{
		{&NonBlockingCoordinator{Retry: time.Millisecond}, "Retry 1ms"},
		{&NonBlockingCoordinator{Timeout: time.Millisecond}, "Timeout 1ms"},
		{&NonBlockingCoordinator{ConnectTimeout: -1}, "ConnectTimeout -1ns"},
		{&NonBlockingCoordinator{Quorum: -1}, "Quorum -1"},
		{&NonBlockingCoordinator{Quorum: 5, MaxMembers: 4}, "MaxMembers 4"},
		{&NonBlockingCoordinator{MaxMembers: -1}, "MaxMembers -1"},
	} {
		_, err := tt.c.BindDown(nil, channel.Down{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("BindDown = %v, want an error with %q", err, tt.want)
		}
	}
	c := new(NonBlockingCoordinator)
	interceptortest.New(t, interceptortest.Config{}, c)
	if _, err := c.BindDown(nil, channel.Down{}); !errors.Is(err, errBound) {
		t.Errorf("second BindDown = %v, want %v", err, errBound)
	}
	if got := new(NonBlockingCoordinator); got.Stats() != (CoordinatorStats{}) || got.IsCoordinator() {
		t.Errorf("before it is bound: %+v, %+v, want nothing", got.Stats(), got.Leadership())
	}
}
