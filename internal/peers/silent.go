package peers

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
)

// LeaveOut makes the peer silent: what waits for it does not any more, and it is asked now
// and then whether it is back.
func (p *Peer) LeaveOut(why string) {
	p.mu.Lock()
	if p.stands >= Silent {
		p.mu.Unlock()
		return
	}
	p.stand(Silent)
	m := p.m
	waiting := p.release()
	p.mu.Unlock()
	let(waiting)
	p.lost(m, why)
}

// release lets go of what waits. The caller holds p.mu and settles it with let.
func (p *Peer) release() []held {
	p.cancel()
	if p.timer != nil {
		p.timer.Stop()
	}
	waiting := make([]held, 0, len(p.waiting))
	for f, w := range p.waiting {
		waiting = append(waiting, held{f, w})
	}
	clear(p.waiting)
	slices.SortFunc(waiting, func(a, b held) int { return cmp.Compare(a.n, b.n) })
	return waiting
}

// wait is what is known of a change that the peer has not answered.
type wait struct {
	n      uint64 // the change's number among those posted to the peer
	counts bool   // somebody waits for the peer
}

// held is a change that waits, out of the map: that has the order of addresses, which differ
// when a simulation is repeated.
type held struct {
	f *Flight
	wait
}

// let settles what has waited, in the order in which it was posted.
func let(waiting []held) {
	for _, w := range waiting {
		settle(w.f, w.counts, false, nil)
	}
}

// leave is the end of the peer.
func (p *Peer) leave() {
	p.mu.Lock()
	p.stand(Left)
	waiting := p.release()
	p.mu.Unlock()
	let(waiting)
}

// comeBack gives a silent peer changes again.
func (p *Peer) comeBack() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stands != Silent {
		return false
	}
	p.stands, p.behind = Catching, true
	p.show()
	p.ctx, p.cancel = context.WithCancel(p.set.ctx)
	return true
}

// hush makes a peer that could not catch up silent again.
func (p *Peer) hush() {
	p.mu.Lock()
	var waiting []held
	if p.stands == Catching {
		p.stands = Silent
		p.show()
		waiting = p.release()
	}
	p.mu.Unlock()
	let(waiting)
}

// catchUp makes a peer that has everything current, if it says that it is ready.
func (p *Peer) catchUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stands != Catching {
		return false
	}
	p.behind = false
	if p.state == Ready {
		p.stand(Current)
	}
	return true
}

// lost is told of a peer that has become silent.
func (s *Set[P]) lost(p P, m *membership.Member, why string) {
	s.LeftOut.Add(1)
	s.Tell(slog.LevelWarn, "member does not answer, nothing waits for it", m, "cause", why)
	s.Notify()
	s.Go(func(ctx context.Context) { s.recover(ctx, p) })
}

// recover asks a silent peer until it answers, and catches it up.
func (s *Set[P]) recover(ctx context.Context, p P) {
	b := p.base()
	s.insist(ctx, b.Node, func() bool {
		if stands, _ := b.Is(); stands != Silent {
			return true
		}
		said, err := s.greet(ctx, b.Member())
		if s.Estranging(err) {
			s.gone(p)
			return true
		}
		if err != nil || !b.comeBack() {
			return false
		}
		s.correct(b.Member(), said)
		if s.own.Repair(ctx, p) != nil || !b.catchUp() {
			b.hush()
			return false
		}
		s.Tell(slog.LevelInfo, "member is back", b.Member())
		s.own.Back(p)
		s.Notify() // a start may wait for it
		return true
	})
}

// gone drops a peer that has left, and was not heard. If it comes again it says so.
func (s *Set[P]) gone(p P) {
	if node := p.base().Node; s.Get(node) == p {
		s.Drop(node)
	}
}

// How often and how often at least a member is greeted that does not answer.
const (
	maxTries   = 10
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
)

// insist tries something with a member until it is done or ctx ends. A member that the group
// does not know is given up at last: another may answer at its address.
func (s *Set[P]) insist(ctx context.Context, node membership.ID, try func() (done bool)) {
	pause := min(s.Budget/2, firstPause)
	for tries := 0; !try(); tries++ {
		if tries > maxTries && !s.inView(node) {
			s.Drop(node)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}
