package interceptor

import (
	"context"
	"errors"
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

// state is a leadership for the tests.
func state(term uint64, members ...int) Leadership {
	return leadershipOf(list(members...), interceptortest.Member(10), term, 0)
}

// Changes yields the present state and each change, and what happens meanwhile as
// one.
func TestChanges(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var l leadership
		next := make(chan Leadership)
		ended := make(chan struct{})
		go func() { // ends with finish
			defer close(ended)
			for s := range l.Changes(context.Background()) {
				next <- s
			}
		}()
		if got := <-next; got.Coordinator != nil || got.Local {
			t.Errorf("at first: %+v, want nobody", got)
		}
		l.publish(state(1, 10, 20))
		if got := <-next; !got.Local || got.Term != 1 {
			t.Errorf("then: %+v, want the local member with term 1", got)
		}
		l.publish(state(1, 10, 20)) // nothing new
		l.publish(state(2, 10, 20, 30))
		synctest.Wait() // the loop waits for next with that
		l.publish(state(3, 5, 10))
		l.publish(state(4, 5, 10, 20))
		if got := <-next; got.Term != 2 || len(got.Members) != 3 {
			t.Errorf("then: %+v, want term 2", got)
		}
		if got := <-next; got.Term != 4 || got.Local || !sameMember(got.Coordinator, interceptortest.Member(5)) {
			t.Errorf("then: %+v, want term 4 and member 5", got)
		}
		l.finish()
		if got := <-next; got.Coordinator != nil {
			t.Errorf("at the end: %+v, want nobody", got)
		}
		<-ended
		l.publish(state(5, 10)) // too late
		if l.IsCoordinator() {
			t.Error("IsCoordinator() = true after the end")
		}
	})
}

func TestChangesEndsWithItsContextAndItsLoop(t *testing.T) {
	var l leadership
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	times := 0
	for range l.Changes(ctx) {
		times++
		cancel()
	}
	for range l.Changes(context.Background()) {
		times++
		break
	}
	if times != 2 {
		t.Errorf("%d states, want one of each loop", times)
	}
}

// The function of Lead runs while the local member coordinates without a break.
func TestLead(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after func(l *leadership, stop context.CancelCauseFunc)
		cause error
	}{
		{"another coordinates", func(l *leadership, _ context.CancelCauseFunc) { l.publish(state(2, 5, 10)) }, ErrNotCoordinator},
		{"nobody does", func(l *leadership, _ context.CancelCauseFunc) { l.publish(Leadership{}) }, ErrNotCoordinator},
		{"a break that nobody has seen", func(l *leadership, _ context.CancelCauseFunc) {
			l.publish(state(2, 5, 10))
			l.publish(state(3, 10))
		}, ErrNotCoordinator},
		{"the channel stops", func(l *leadership, _ context.CancelCauseFunc) { l.finish() }, ErrNotCoordinator},
		{"the context ends", func(_ *leadership, stop context.CancelCauseFunc) { stop(errBound) }, errBound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var l leadership
				ctx, stop := context.WithCancelCause(t.Context())
				defer stop(nil)
				done := make(chan error)
				began := make(chan uint64)
				go func() { // ends with the leadership
					done <- l.Lead(ctx, func(ctx context.Context, term uint64) error {
						began <- term
						<-ctx.Done()
						return context.Cause(ctx)
					})
				}()
				l.publish(state(7, 5, 10))
				synctest.Wait()
				l.publish(state(8, 10, 20))
				if term := <-began; term != 8 {
					t.Errorf("it runs with term %d, want 8", term)
				}
				l.publish(state(9, 10, 20, 30)) // a later view with the same coordinator
				synctest.Wait()
				select {
				case err := <-done:
					t.Fatalf("Lead has ended with %v at a view in which the local member still coordinates", err)
				default:
				}
				tt.after(&l, stop)
				if err := <-done; !errors.Is(err, tt.cause) {
					t.Errorf("Lead = %v, want %v", err, tt.cause)
				}
			})
		})
	}
}

func TestLeadWithoutACoordinatorship(t *testing.T) {
	never := func(context.Context, uint64) error { t.Error("f was called"); return nil }
	var l leadership
	ctx, stop := context.WithCancelCause(context.Background())
	stop(errBound)
	if err := l.Lead(ctx, never); !errors.Is(err, errBound) {
		t.Errorf("Lead with an ended context = %v, want %v", err, errBound)
	}
	l.finish()
	if err := l.Lead(context.Background(), never); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("Lead after the stop = %v, want %v", err, channel.ErrClosed)
	}
}

// Lead returns what the function returns, also when that is early.
func TestLeadReturnsTheErrorOfItsFunction(t *testing.T) {
	var l leadership
	l.publish(state(1, 10))
	for _, want := range []error{nil, errBound} {
		if err := l.Lead(context.Background(), func(context.Context, uint64) error { return want }); err != want {
			t.Errorf("Lead = %v, want %v", err, want)
		}
	}
}

// store is what must be written by one member at a time. It refuses what has a
// lower term than what it has seen.
type store struct {
	highest uint64
	by      []string
}

var errStale = errors.New("stale")

func (s *store) write(by string, term uint64) error {
	if term < s.highest {
		return errStale
	}
	s.highest = term
	s.by = append(s.by, by)
	return nil
}

// While a network is split the old coordinator and a new one both believe that
// they coordinate. Once the new one has written, the term keeps the other out; and
// after the heal the next coordinator comes in.
func TestTermFencesAStaleCoordinator(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.startAll("a", "b", "c")
		e.agree(patient, "a", "b", "c")
		var s store
		write := func(name string, want error) {
			t.Helper()
			now := e.on[name].co.Leadership()
			if !now.Local {
				t.Fatalf("%s says %+v, want it to coordinate", name, now)
			}
			if err := s.write(name, now.Term); err != want {
				t.Errorf("a write of %s with the term %d = %v, want %v", name, now.Term, err, want)
			}
		}
		write("a", nil)
		stale := e.on["a"].co.Leadership().Term
		e.nw.Isolate("a")
		e.agree(patient, "b", "c")
		write("b", nil)
		if err := s.write("a", stale); err != errStale {
			t.Errorf("a write with the term of before the split = %v, want %v", err, errStale)
		}
		e.nw.Heal()
		e.agree(patient, "a", "b", "c")
		write("a", nil)
		e.judge()
	})
}

// A member that stops says that it does not coordinate before the others are told
// goodbye, and whoever follows it coordinates at once.
func TestStopEndsTheOfficeFirst(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.startAll("a", "b")
		e.agree(patient, "a", "b")
		old := e.on["a"].co
		for now := range e.on["b"].co.Changes(t.Context()) {
			if now.Local {
				break
			}
			if now.Coordinator != nil { // the first one yielded
				go e.on["a"].Close() // ends by itself
			}
		}
		if old.IsCoordinator() {
			t.Error("both coordinate")
		}
		delete(e.on, "a")
		e.agree(time.Second, "b")
	})
}

func TestLeadershipOf(t *testing.T) {
	for _, tt := range []struct {
		members []*membership.Member
		quorum  int
		want    *membership.Member
	}{
		{nil, 0, nil},
		{list(10), 0, interceptortest.Member(10)},
		{list(5, 10), 2, interceptortest.Member(5)},
		{list(5, 10), 3, nil},
	} {
		got := leadershipOf(tt.members, interceptortest.Member(10), 3, tt.quorum)
		if !sameMember(got.Coordinator, tt.want) || got.Local != sameMember(tt.want, interceptortest.Member(10)) || got.Term != 3 {
			t.Errorf("leadershipOf(%v, quorum %d) = %+v, want %v", tt.members, tt.quorum, got, tt.want)
		}
	}
}

// A member that has acknowledged the view of another one does not take office by its own,
// which was on its way, whatever waits in line between the two.
func TestAcknowledgedViewKeepsOutOfOffice(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 20)
		acks := make(chan *message.Receipt, 1)
		l.Bottom.Use(func(_ context.Context, _ []*membership.Member, m *message.Message, r *message.Receipt) error {
			if token, err := decodeToken(m.Payload(), 10); err != nil || !token.confirm {
				r.Settle(interceptortest.Member(20), message.Acknowledged, nil)
				return nil
			}
			acks <- r
			return nil
		})
		l.returns(20)
		r := <-acks
		var gates [3]chan struct{} // of listeners that take their time
		busy := func(i int) {
			gates[i] = make(chan struct{})
			l.c.host.Serial(func() { <-gates[i] })
			synctest.Wait()
		}
		busy(0)
		r.Settle(interceptortest.Member(20), message.Acknowledged, nil)
		synctest.Wait()
		busy(1)
		l.arrives(coordToken{members: list(5, 10, 20), confirm: true, id: membership.NewViewID(1)}, 5) // it is of the past
		busy(2)
		l.arrives(coordToken{members: list(5, 10, 20), confirm: true, id: membership.NewViewID(membership.MaxTerm - 1)}, 5)
		for i := range gates {
			if got := l.c.Leadership(); got.Local {
				t.Errorf("behind listener %d, after another view was acknowledged: %+v, want not the local member", i, got)
			}
			close(gates[i])
			synctest.Wait()
		}
		if got := l.c.Leadership(); !sameMember(got.Coordinator, interceptortest.Member(5)) || l.c.Stats().Views != 3 {
			t.Errorf("in the end %+v, %+v; want member 5 by a third view", got, l.c.Stats())
		}
	})
}
