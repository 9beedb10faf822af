package peers

import (
	"context"
	"log/slog"
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
func (p *Peer) release() map[*Flight]bool {
	p.cancel()
	if p.timer != nil {
		p.timer.Stop()
	}
	waiting := p.waiting
	p.waiting = make(map[*Flight]bool)
	return waiting
}

func let(waiting map[*Flight]bool) {
	for f, counts := range waiting {
		settle(f, counts, false, nil)
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
	p.ctx, p.cancel = context.WithCancel(p.set.ctx)
	return true
}

// hush makes a peer that could not catch up silent again.
func (p *Peer) hush() {
	p.mu.Lock()
	var waiting map[*Flight]bool
	if p.stands == Catching {
		p.stands = Silent
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

// How often and how often at least a member is greeted that does not answer.
const (
	maxTries = 10
	maxPause = 2 * time.Second
)

// insist tries something with a member until it is done or ctx ends. A member that the group
// does not know is given up at last: another may answer at its address.
func (s *Set[P]) insist(ctx context.Context, node membership.ID, try func() (done bool)) {
	pause := s.Budget / 2
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
