package interceptor

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// lonely is a coordinator on a harness, as member 10, and what it probes.
type lonely struct {
	*interceptortest.Harness
	t *testing.T
	c *NonBlockingCoordinator

	mu     sync.Mutex
	probed map[membership.Key]int
	dead   map[membership.Key]bool
}

// newLonely starts a coordinator that has installed a view with these others, of
// which the first coordinates if it comes before member 10.
func newLonely(t *testing.T, others ...int) *lonely {
	t.Helper()
	l := &lonely{t: t, c: &NonBlockingCoordinator{Alone: -1}, probed: make(map[membership.Key]int), dead: make(map[membership.Key]bool)}
	l.Harness = interceptortest.New(t, interceptortest.Config{Local: interceptortest.Member(10)}, l.c)
	l.Bottom.Use(l.send)
	l.Start()
	synctest.Wait()
	for _, n := range others {
		l.Join(interceptortest.Member(n))
	}
	synctest.Wait()
	return l
}

// send answers probes, and takes all else.
func (l *lonely) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if string(m.Payload()) != aliveBytes {
		return l.Bottom.Take(ctx, to, m, r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(to) != 1 || m.Options != message.UseAck {
		l.t.Errorf("a probe of %v with the options %s, want one member and UseAck", to, m.Options)
	}
	l.probed[to[0].Key()]++
	if l.dead[to[0].Key()] {
		r.SettleAll(to, message.NotSent, message.ErrTimeout)
		return nil
	}
	r.SettleAll(to, message.Acknowledged, nil)
	return nil
}

// probes returns how many members were probed, and how often at most.
func (l *lonely) probes() (members, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.probed {
		most = max(most, n)
	}
	return len(l.probed), most
}

// arrives gives a token to the coordinator, from a member.
func (l *lonely) arrives(t coordToken, from int) {
	l.t.Helper()
	if t.leader == nil {
		t.leader = t.members[0]
	}
	if t.source == nil {
		t.source = t.members[0]
	}
	if err := l.Arrive(interceptortest.Member(from), t.append(nil), message.UseAck); err != nil {
		l.t.Errorf("Receive of a token = %v, want nil", err)
	}
	synctest.Wait()
}

// list makes a list of members in absolute order.
func list(numbers ...int) []*membership.Member {
	var all []*membership.Member
	for _, n := range numbers {
		all = append(all, interceptortest.Member(n))
	}
	return all
}

// requests returns the requests that were sent so far.
func (l *lonely) requests() []coordToken {
	var all []coordToken
	for _, s := range l.Bottom.Sent() {
		if t, err := decodeToken(s.Message.Payload(), 1000); err == nil && !t.confirm {
			all = append(all, t)
		}
	}
	return all
}
