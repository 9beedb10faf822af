package interceptor

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// confirmations returns those that were sent to one member so far.
func (l *lonely) confirmations(to int) []coordToken {
	var all []coordToken
	for _, m := range l.Bottom.SentTo(interceptortest.Member(to)) {
		if t, err := decodeToken(m.Payload(), 1000); err == nil && t.confirm {
			all = append(all, t)
		}
	}
	return all
}

// returns lets the last request come back as it left.
func (l *lonely) returns(from int) {
	l.t.Helper()
	all := l.requests()
	if len(all) == 0 {
		l.t.Fatal("no request was sent")
	}
	l.arrives(all[len(all)-1], from)
}

func (l *lonely) lastView() *membership.Agreed {
	views := l.Top.Views()
	return views[len(views)-1]
}

// The first member takes office when all have acknowledged its view, or Retry has
// passed; who has not is told again until it does, or is gone.
func TestConfirmationIsRepeatedUntilItIsAcknowledged(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 20, 30)
		deaf := interceptortest.Member(30).Key()
		l.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			if to[0].Key() == deaf {
				l.Bottom.Note(to, m)
				m.Retain()
				time.AfterFunc(3*defaultElectionRetry/2, func() {
					m.Release()
					r.Settle(to[0], message.Unknown, message.ErrTimeout)
				})
				return nil
			}
			return l.Bottom.Take(ctx, to, m, r)
		})
		l.returns(20) // without member 30, so it goes round again
		l.returns(30)
		if got := l.lastView(); got.Len() != 1 {
			t.Errorf("before all have acknowledged: a view of %d, want none of 3", got.Len())
		}
		pass(defaultElectionRetry + 200*time.Millisecond)
		if got := l.lastView(); got.Len() != 3 || !l.c.IsCoordinator() {
			t.Errorf("after Retry: a view of %d, %+v, want 3", got.Len(), l.c.Leadership())
		}
		pass(10 * time.Second)
		if toldA, toldB := len(l.confirmations(20)), len(l.confirmations(30)); toldA != 1 || toldB < 4 {
			t.Errorf("who has acknowledged was told %d times, who has not %d times; want once and again and again", toldA, toldB)
		}
		for _, m := range l.Bottom.SentTo(interceptortest.Member(20)) {
			token, err := decodeToken(m.Payload(), 10)
			if want := map[bool]message.Options{false: message.UseAck, true: message.Sync}[token.confirm]; err != nil || m.Options != want {
				t.Errorf("a token, confirmation %t, has the options %s, want %s: an ack of a confirmation says that it was taken", token.confirm, m.Options, want)
			}
		}
		l.Bottom.Use(nil)
		pass(3 * time.Second)
		before := len(l.confirmations(30))
		pass(10 * time.Second)
		if got := len(l.confirmations(30)); got != before {
			t.Errorf("%d confirmations after it was acknowledged, want none", got-before)
		}
	})
}

// A request goes round again until it comes back with all whom the first member
// knows by then.
func TestRequestGoesRoundUntilAllAreInIt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 20)
		first := l.requests()[0]
		l.Join(interceptortest.Member(30))
		synctest.Wait()
		for range 3 { // somebody does not reach member 30
			l.arrives(first, 20)
			all := l.requests()
			if last := all[len(all)-1]; len(l.confirmations(20)) != 0 || !sameMembers(last.members, list(10, 20, 30)) || !last.id.SameElection(first.id) {
				t.Fatalf("then %+v was sent, and %d confirmations; want the same election with three members and no confirmation", last, len(l.confirmations(20)))
			}
		}
		first.members = list(10, 20, 30, 40) // somebody knows one more
		l.arrives(first, 20)
		for _, to := range []int{20, 30, 40} {
			if got := l.confirmations(to); len(got) != 1 || !sameMembers(got[0].members, list(10, 20, 30, 40)) {
				t.Errorf("confirmed to %d: %+v, want one view of four", to, got)
			}
		}
		if got := l.lastView(); got.Len() != 4 {
			t.Errorf("the view is %v, want four members", got.Members)
		}
	})
}

// Who passes a request on makes its term greater than that of its own view; an id
// of Java stays as it is.
func TestTermIsRaisedOnTheWay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5, 20)
		view := membership.NewViewID(uint64(time.Now().Add(time.Hour).UnixMilli()))
		l.arrives(coordToken{members: list(5, 10, 20), confirm: true, id: view}, 5)
		for _, id := range []membership.ViewID{membership.NewViewID(7), view.WithTerm(view.Term() + 100), membership.ViewID(membership.NewID())} {
			l.Bottom.Reset()
			l.arrives(coordToken{members: list(5, 10, 20), id: id}, 5)
			got := l.requests()
			if len(got) != 1 || !got[0].id.SameElection(id) {
				t.Fatalf("passed on: %+v, want one of the election %s", got, id)
			}
			want := max(id.Term(), view.Term()+1)
			if id.Term() == 0 {
				want = 0
			}
			if got[0].id.Term() != want {
				t.Errorf("term %d became %d, want %d", id.Term(), got[0].id.Term(), want)
			}
		}
	})
}

// A view that is refused because it is of the past may be installed elsewhere, so
// that another one is needed, and asked for, though the members are the same.
func TestRefusedViewIsReplaced(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		high := membership.NewViewID(uint64(time.Now().Add(time.Hour).UnixMilli()))
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: high}, 5)
		pass(time.Minute)
		if st := l.c.Stats(); st.Waiting != 0 {
			t.Fatalf("in a view of all members: %+v, want nothing to wait for", st)
		}
		l.Bottom.Reset()
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: membership.NewViewID(high.Term() - 1)}, 5)
		if got := l.lastView(); got.ID != high {
			t.Fatalf("the view is %s, want %s", got.ID, high)
		}
		pass(2 * defaultElectionRetry)
		got := l.requests()
		if len(got) == 0 || got[0].id.Term() <= high.Term() || !sameMember(got[0].source, interceptortest.Member(5)) {
			t.Fatalf("then %+v was sent, want a request for a view with a greater term", got)
		}
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: got[0].id}, 5)
		if st := l.c.Stats(); st.Waiting != 0 || l.lastView().ID != got[0].id {
			t.Errorf("with that view: %+v, want nothing to wait for", st)
		}
	})
}

// A view without a term, as Java makes them, does not open the way for the past.
func TestViewOfJavaDoesNotResetTheTerm(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		high := membership.NewViewID(uint64(time.Now().Add(time.Hour).UnixMilli()))
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: high}, 5)
		java := membership.ViewID(membership.NewID())
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: java}, 5)
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: membership.NewViewID(high.Term() - 1)}, 5)
		if got := l.lastView(); got.ID != java {
			t.Errorf("the view is %s with term %d, want that of Java", got.ID, got.Term())
		}
		later := membership.NewViewID(high.Term() + 1)
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: later}, 5)
		if got := l.lastView(); got.ID != later {
			t.Errorf("the view is %s, want %s", got.ID, later)
		}
	})
}

// When the coordinator is gone nobody is, until there is another view.
func TestCoordinatorThatIsGoneIsNone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5, 8)
		l.arrives(coordToken{members: list(5, 8, 10), confirm: true, id: membership.NewViewID(membership.MaxTerm - 1)}, 5)
		if got := l.c.Leadership(); !sameMember(got.Coordinator, interceptortest.Member(5)) {
			t.Fatalf("leadership %+v, want member 5", got)
		}
		l.Part(membership.Failed, interceptortest.Member(5))
		synctest.Wait()
		if got := l.c.Leadership(); got.Coordinator != nil || len(got.Members) != 3 || l.lastView().Len() != 3 {
			t.Errorf("when it is gone: %+v, want nobody, and the same view", got)
		}
		l.arrives(coordToken{members: list(8, 10), confirm: true, id: membership.NewViewID(membership.MaxTerm)}, 8)
		if got := l.c.Leadership(); !sameMember(got.Coordinator, interceptortest.Member(8)) {
			t.Errorf("with the next view: %+v, want member 8", got)
		}
	})
}

// When the terms are used up, which a liar alone can bring about, views are
// installed without regard to them.
func TestTermsThatAreUsedUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		for range 3 {
			id := membership.NewViewID(membership.MaxTerm)
			l.arrives(coordToken{members: list(5, 10), confirm: true, id: id}, 5)
			if got := l.lastView(); got.ID != id {
				t.Errorf("the view is %s, want %s", got.ID, id)
			}
		}
		l.Part(membership.Failed, interceptortest.Member(5))
		l.Join(interceptortest.Member(20))
		synctest.Wait()
		l.returns(20)
		if got := l.lastView(); !sameMembers(got.Members, list(10, 20)) {
			t.Errorf("the view is %v, want our own of two", got.Members)
		}
	})
}

// The layers above get the events and views of members in the order in which they
// came to be, and the members stay what the membership says they are.
func TestMembershipPassesAsItIs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		l.arrives(coordToken{members: list(5, 10, 40), confirm: true, id: membership.NewViewID(membership.MaxTerm - 1)}, 5)
		if got := l.View().Members; !slices.EqualFunc(got, list(5), sameMember) {
			t.Errorf("View() = %v, want member 5 alone: nobody but a token has told of member 40", got)
		}
		if got := l.lastView(); got.Len() != 3 {
			t.Errorf("the agreed view has %d members, want 3", got.Len())
		}
		if got := l.Top.Events(); len(got) != 1 {
			t.Errorf("%d events, want one", len(got))
		}
	})
}
