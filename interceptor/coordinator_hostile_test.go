package interceptor

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Views that must not be installed are not, and who coordinates stays the same.
func TestViewsThatAreRefused(t *testing.T) {
	id := func() membership.ViewID { return membership.NewViewID(uint64(time.Now().Add(time.Hour).UnixMilli())) }
	old := membership.NewViewID(1)
	for _, tt := range []struct {
		name  string
		token coordToken
		from  int
		dead  int
	}{
		{"of another than its first member", coordToken{members: list(5, 10, 20), confirm: true}, 20, 0},
		{"of another than its leader", coordToken{members: list(5, 10, 20), confirm: true, leader: interceptortest.Member(20)}, 5, 0},
		{"in the name of the local member", coordToken{members: list(10, 20), confirm: true}, 10, 0},
		{"without the local member", coordToken{members: list(5, 20), confirm: true}, 5, 0},
		{"with a term of the past", coordToken{members: list(5, 10, 20), confirm: true, id: old}, 5, 0},
		{"of one who does not answer", coordToken{members: list(5, 10, 20), confirm: true}, 5, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				l := newLonely(t)
				l.dead[interceptortest.Member(tt.dead).Key()] = true
				if tt.dead == 0 {
					l.Join(interceptortest.Member(20))
				}
				synctest.Wait()
				before, lead, refused := l.Top.Views(), l.c.Leadership(), l.c.Stats().Refused
				if !lead.Local {
					t.Fatalf("before: %+v, want the local member", lead)
				}
				if tt.token.id == (membership.ViewID{}) {
					tt.token.id = id()
				}
				l.arrives(tt.token, tt.from)
				if got := l.Top.Views(); len(got) != len(before) || !l.c.IsCoordinator() {
					t.Errorf("views %v after %v, leadership %+v", got, before, l.c.Leadership())
				}
				if got := l.c.Stats().Refused; got != refused+1 {
					t.Errorf("%d tokens were refused, want one", got-refused)
				}
			})
		})
	}
}

// A view that is as it should be is installed, also one of a Java node, which has
// no term, and the local member is no coordinator from the moment on at which the
// token is acknowledged.
func TestViewsThatAreInstalled(t *testing.T) {
	for _, id := range []membership.ViewID{membership.NewViewID(membership.MaxTerm), membership.ViewID(membership.NewID())} {
		bubble.Test(t, func(t *testing.T) {
			l := newLonely(t)
			l.Freeze() // nothing in line is done
			token := coordToken{members: list(5, 10, 20), confirm: true, id: id, leader: interceptortest.Member(5), source: interceptortest.Member(5)}
			if err := l.Arrive(interceptortest.Member(5), token.append(nil), message.UseAck); err != nil {
				t.Fatal(err)
			}
			if got := l.c.Leadership(); got.Local || got.Coordinator != nil {
				t.Errorf("when the token is acknowledged: %+v, want no coordinator", got)
			}
			l.Thaw()
			synctest.Wait()
			views := l.Top.Views()
			if v := views[len(views)-1]; v.ID != id || !sameMembers(v.Members, token.members) || v.Term() != id.Term() {
				t.Errorf("the view is %+v, want %v", v, token.members)
			}
			if got := l.c.Leadership(); !sameMember(got.Coordinator, interceptortest.Member(5)) || got.Local {
				t.Errorf("leadership %+v, want member 5", got)
			}
		})
	}
}

// Requests that lie are not passed on, or only with what is true.
func TestRequestsThatLie(t *testing.T) {
	for _, tt := range []struct {
		name    string
		token   coordToken
		from    int
		refused bool
	}{
		{"its sender is not in it", coordToken{members: list(5, 10, 20)}, 30, true},
		{"its source is not there", coordToken{members: list(5, 10, 20, 66), source: interceptortest.Member(66)}, 20, true},
		{"its leader is not in it", coordToken{members: list(5, 10, 20), leader: interceptortest.Member(77)}, 20, false},
		{"some of its members are not there", coordToken{members: list(5, 10, 20, 66)}, 20, false},
		{"it leaves members out", coordToken{members: list(20)}, 20, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				l := newLonely(t, 5, 20)
				l.dead[interceptortest.Member(66).Key()] = true
				l.Bottom.Reset()
				tt.token.id = membership.NewViewID(7)
				l.arrives(tt.token, tt.from)
				got := l.requests()
				if tt.refused {
					if len(got) != 0 || l.c.Stats().Refused == 0 {
						t.Errorf("%d requests were passed on, %+v, want it to be refused", len(got), l.c.Stats())
					}
					return
				}
				if len(got) != 1 || !sameMembers(got[0].members, list(5, 10, 20)) || !sameMember(got[0].leader, interceptortest.Member(5)) {
					t.Fatalf("passed on: %+v, want one request with the members 5, 10 and 20 and the leader 5", got)
				}
				if sent := l.Bottom.SentTo(interceptortest.Member(20)); len(sent) != 1 || !got[0].id.SameElection(tt.token.id) {
					t.Errorf("it went to another than the next member, or as another election: %+v", got[0])
				}
			})
		})
	}
}

// Unknown members cost one probe each, and a bounded number at a time; a token
// with more of them is refused without any.
func TestUnknownMembersAreProbedWithinBounds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		many := coordToken{members: append(list(5, 10), interceptortest.Members(100, 100+mostProbes)...), id: membership.NewViewID(7)}
		l.arrives(many, 5)
		if members, _ := l.probes(); members != 0 || l.c.Stats().Refused != 1 {
			t.Errorf("%d members were probed, %d tokens refused, want 0 and 1", members, l.c.Stats().Refused)
		}
		many.members = many.members[:2+mostProbes]
		for _, m := range many.members[2:] {
			l.dead[m.Key()] = true
		}
		for range 5 {
			l.arrives(many, 5)
		}
		if members, most := l.probes(); members != mostProbes || most != 1 {
			t.Errorf("%d members were probed, up to %d times each, want %d, once each", members, most, mostProbes)
		}
		time.Sleep(2 * defaultElectionRetry)
		l.arrives(many, 5)
		if _, most := l.probes(); most != 2 {
			t.Errorf("a member was probed %d times, want again after a while", most)
		}
		if got := l.c.Stats().Learned; got != 0 {
			t.Errorf("%d members were learned, want none: they do not answer", got)
		}
	})
}

// Who has said goodbye, who is a former process on an address in use, and who has
// an address that makes no sense, is not probed and not believed in.
func TestMembersThatAreNotBelievedIn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5, 20, 30)
		l.Part(membership.Left, interceptortest.Member(30))
		synctest.Wait()
		l.Bottom.Reset()
		ghost := interceptortest.MemberAt(interceptortest.Member(20).AddrPort(), 2000)
		before := interceptortest.MemberAt(interceptortest.Member(10).AddrPort(), 1000)
		nowhere := interceptortest.MemberAt(netip.AddrPortFrom(netip.IPv4Unspecified(), 4000), 7)
		l.arrives(coordToken{members: append(list(5, 10, 20, 30), ghost, before, nowhere), source: interceptortest.Member(5), id: membership.NewViewID(7)}, 5)
		if members, _ := l.probes(); members != 0 {
			t.Errorf("%d members were probed, want none", members)
		}
		if got := l.requests(); len(got) != 1 || !sameMembers(got[0].members, list(5, 10, 20)) {
			t.Errorf("passed on: %+v, want one request with the members 5, 10 and 20", got)
		}
	})
}

// A member of which only a token has told is reckoned with for as long as it
// answers probes.
func TestLearnedMembersAreForgottenWhenTheyDoNotAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		l.arrives(coordToken{members: list(5, 10, 40), id: membership.NewViewID(7)}, 5)
		if got := l.c.Stats().Learned; got != 1 {
			t.Fatalf("%d members were learned, want one", got)
		}
		time.Sleep(time.Minute)
		if _, most := l.probes(); l.c.Stats().Learned != 1 || most < 10 {
			t.Errorf("%d learned, %d probes in a minute, want one and some", l.c.Stats().Learned, most)
		}
		l.mu.Lock()
		l.dead[interceptortest.Member(40).Key()] = true
		l.mu.Unlock()
		time.Sleep(defaultElectionTimeout / 2)
		if got := l.c.Stats().Learned; got != 0 {
			t.Errorf("%d members are still learned, want none", got)
		}
	})
}

// A request that goes round and round is stopped.
func TestRequestThatCirculatesIsStopped(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5, 20)
		l.Bottom.Reset()
		for range 100 {
			l.arrives(coordToken{members: list(5, 10, 20), id: membership.NewViewID(7).WithTerm(9)}, 20) // another election each
		}
		if got := len(l.requests()); got != 100 {
			t.Errorf("%d of 100 different requests were passed on, want all", got)
		}
		l.Bottom.Reset()
		id := membership.NewViewID(7)
		for term := range uint64(100) {
			l.arrives(coordToken{members: list(5, 10, 20), id: id.WithTerm(term + 1)}, 20)
		}
		if got := len(l.requests()); got != mostPasses {
			t.Errorf("one request was passed on %d times, want %d", got, mostPasses)
		}
	})
}

// Tokens that come faster than they can be taken are dropped.
func TestTokensAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		l.Freeze()
		for range mostTokens + 10 {
			token := coordToken{members: list(5, 10), id: membership.NewViewID(7), leader: interceptortest.Member(5), source: interceptortest.Member(5)}
			if err := l.Arrive(interceptortest.Member(5), token.append(nil), message.UseAck); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.c.Stats(); got.Refused != 10 || got.Tokens != mostTokens {
			t.Errorf("%d tokens were refused and %d taken, want 10 and %d", got.Refused, got.Tokens, mostTokens)
		}
		// Its sender must not take a view that was dropped for acknowledged.
		view := coordToken{members: list(5, 10), confirm: true, id: membership.NewViewID(membership.MaxTerm - 1), leader: interceptortest.Member(5), source: interceptortest.Member(5)}
		if err := l.Arrive(interceptortest.Member(5), view.append(nil), message.Sync); !errors.Is(err, errTokens) {
			t.Errorf("a view beside them: %v, and the local member coordinates: %t; want %v", err, l.c.IsCoordinator(), errTokens)
		}
		l.Thaw()
		synctest.Wait()
	})
}

// A member that waits for the view of the first one, which may be a Java node
// whose token is lost, asks for it in the first one's name, less and less often,
// and says that it takes long.
func TestFirstMemberIsAskedForAView(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 5)
		begin := time.Now()
		l.Bottom.Reset()
		time.Sleep(time.Minute)
		got := l.requests()
		if len(got) < 4 || len(got) > 12 {
			t.Fatalf("%d requests in a minute, want a few", len(got))
		}
		for i, r := range got {
			if !sameMember(r.source, interceptortest.Member(5)) || !sameMember(r.leader, interceptortest.Member(5)) || !sameMembers(r.members, list(5, 10)) {
				t.Errorf("request %+v, want one in the name of member 5", r)
			}
			if i > 0 && r.id.Term() <= got[i-1].id.Term() {
				t.Errorf("term %d after %d, want a greater one", r.id.Term(), got[i-1].id.Term())
			}
		}
		if st := l.c.Stats(); st.Stalled != 1 || st.Waiting < time.Since(begin) || int(st.Asked) != len(got) {
			t.Errorf("Stats() = %+v, want one stalled election and %d asked", st, len(got))
		}
		last := got[len(got)-1]
		l.arrives(coordToken{members: list(5, 10), confirm: true, id: last.id}, 5) // as Java answers
		if v := l.Top.Views(); v[len(v)-1].ID != last.id || l.c.Stats().Waiting != 0 {
			t.Errorf("views %v, want the last to be %s", v, last.id)
		}
	})
}

// The first member begins an election when it is asked for one, but not again and
// again while its answer is on its way.
func TestFirstMemberAnswersWhoAsks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLonely(t, 20)
		round := func() coordToken {
			t.Helper()
			all := l.requests()
			if len(all) == 0 {
				t.Fatal("no request was sent")
			}
			return all[len(all)-1]
		}
		l.arrives(round(), 20) // comes back as it went
		if got := l.c.Leadership(); !got.Local || len(got.Members) != 2 {
			t.Fatalf("leadership %+v, want the local member and two members", got)
		}
		ask := coordToken{members: list(10, 20), id: membership.NewViewID(9)}
		l.Bottom.Reset()
		l.arrives(ask, 20)
		if got := l.requests(); len(got) != 0 {
			t.Errorf("asked just after the view: %d requests, want none", len(got))
		}
		time.Sleep(2 * defaultElectionRetry)
		l.arrives(ask, 20)
		l.arrives(ask, 20)
		if got := l.requests(); len(got) != 1 {
			t.Fatalf("asked later, twice: %d requests, want one", len(got))
		}
		// Whoever passed it on has been in a view with a greater term.
		r := round()
		r.id = r.id.WithTerm(r.id.Term() + 1000)
		l.arrives(r, 20)
		views := l.Top.Views()
		if got := views[len(views)-1]; got.ID != r.id {
			t.Errorf("the view is %s, want %s, with the term that came back", got.ID, r.id)
		}
	})
}
