package interceptor

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// ErrNotCoordinator is why the context of a function that Lead runs has ended: the
// local member coordinates no more.
var ErrNotCoordinator = errors.New("tribes: coordinator: the local member coordinates no more")

// Leadership says who coordinates, as one member sees it. It is immutable.
type Leadership struct {
	// Coordinator is the first member of the view. It is nil if there is no view
	// yet, if the view has less than Quorum members, if its first member is gone
	// and there is no later view yet, and when the channel stops.
	Coordinator *membership.Member
	// Local says that the coordinator is the local member.
	Local bool
	// Term is the number of the view, 0 if it has none; see NonBlockingCoordinator.
	Term uint64
	// Members are those of the view, in absolute order, with the local one. They
	// must not be changed.
	Members []*membership.Member
}

// leadership is the part of the coordinators that tells who coordinates. Its
// methods are safe for concurrent use.
type leadership struct {
	mu      sync.Mutex
	now     Leadership
	version uint64
	tenure  uint64
	ended   bool
	changed chan struct{} // closed at the next change; nil if nobody waits
}

// Leadership returns who coordinates now.
func (l *leadership) Leadership() Leadership {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// IsCoordinator reports whether the local member coordinates now. What it says
// may be over when it returns: see Lead for work that must end then.
func (l *leadership) IsCoordinator() bool { return l.Leadership().Local }

// Changes yields who coordinates now and then each change, until ctx ends, the
// channel stops, or the loop is left. What happens while the body of the loop
// runs is yielded as one change: nobody waits for the loop.
func (l *leadership) Changes(ctx context.Context) iter.Seq[Leadership] {
	return func(yield func(Leadership) bool) {
		var seen uint64
		for {
			s := l.look()
			if s.version != seen && !yield(s.Leadership) {
				return
			}
			seen = s.version
			if s.changed == nil {
				return
			}
			select {
			case <-s.changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Lead waits until the local member coordinates, runs f on the caller's
// goroutine and returns its error. The context of f ends when the local member
// coordinates no more, with the cause [ErrNotCoordinator], or when ctx ends. term
// is that of the view with which it began; see NonBlockingCoordinator for what it
// is good for. If f does not run, the error is the cause of ctx, or
// channel.ErrClosed if the channel has stopped.
//
// Lead ends the context of f, it cannot end f: until f returns, another member
// may coordinate already. A stop of the channel does not wait for f.
func (l *leadership) Lead(ctx context.Context, f func(ctx context.Context, term uint64) error) error {
	for {
		s := l.look()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case s.Local:
			return l.lead(ctx, s, f)
		case s.changed == nil:
			return channel.ErrClosed
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
		}
	}
}

// lead runs f for as long as what s says of the local member was true without a
// break.
func (l *leadership) lead(ctx context.Context, s leadState, f func(ctx context.Context, term uint64) error) error {
	ctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer end(nil)
	watch.Go(func() { // ends with ctx
		for now := s; now.Local && now.tenure == s.tenure; now = l.look() {
			select {
			case <-now.changed:
			case <-ctx.Done():
				return
			}
		}
		end(ErrNotCoordinator)
	})
	return f(ctx, s.Term)
}

// leadState is the state at one time.
type leadState struct {
	Leadership
	version uint64          // rises with each change, from 1
	tenure  uint64          // rises each time that the local member begins to coordinate
	changed <-chan struct{} // closed at the next change; nil if there will be none
}

func (l *leadership) look() leadState {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := leadState{Leadership: l.now, version: l.version + 1, tenure: l.tenure}
	if !l.ended {
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		s.changed = l.changed
	}
	return s
}

// publish replaces the state. It reports whether the coordinator is another one.
func (l *leadership) publish(now Leadership) (other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || now.same(&l.now) {
		return false
	}
	other = !sameMember(now.Coordinator, l.now.Coordinator)
	l.set(now)
	return other
}

// finish says that nobody coordinates and that it stays so.
func (l *leadership) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		l.set(Leadership{})
	}
}

// set is called with mu held.
func (l *leadership) set(now Leadership) {
	if now.Local && !l.now.Local {
		l.tenure++
	}
	l.now = now
	l.version++
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (s *Leadership) same(o *Leadership) bool {
	return sameMember(s.Coordinator, o.Coordinator) && s.Local == o.Local && s.Term == o.Term &&
		sameMembers(s.Members, o.Members)
}

func sameMember(a, b *membership.Member) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Key() == b.Key()
}

// leadershipOf says who coordinates by a list of members.
func leadershipOf(members []*membership.Member, local *membership.Member, term uint64, quorum int) Leadership {
	s := Leadership{Term: term, Members: members}
	if len(members) > 0 && len(members) >= quorum {
		s.Coordinator = members[0]
		s.Local = sameMember(members[0], local)
	}
	return s
}
