package peers

import (
	"context"
	"log/slog"
	"time"
)

// Mend repairs with a peer, again until it works or the peer is silent: then it catches up
// when it is back. It does not wait for that.
func (s *Set[P]) Mend(p P) {
	b := p.base()
	b.mu.Lock()
	idle := !b.mending && b.stands < Silent
	b.mending = b.mending || idle
	b.mu.Unlock()
	if !idle {
		return
	}
	s.Go(func(ctx context.Context) {
		for s.tryRepair(ctx, p) != nil {
			select {
			case <-ctx.Done():
			case <-time.After(s.Budget):
			}
		}
		b.mu.Lock()
		b.mending = false
		b.mu.Unlock()
	})
}

// tryRepair compares with a peer if that is possible now. The error says that it is to be
// tried again.
func (s *Set[P]) tryRepair(ctx context.Context, p P) error {
	b := p.base()
	if !b.Answers() || ctx.Err() != nil {
		return nil
	}
	err := s.own.Repair(ctx, p)
	if err == nil {
		return nil
	}
	s.Tell(slog.LevelWarn, "member could not be compared with", b.Member(), "err", err)
	if s.Estranging(err) {
		b.LeaveOut(err.Error())
		return nil
	}
	return err
}

// Compare repairs with one peer, each time with the next one, if this member is ready. It is
// to be called from time to time.
func (s *Set[P]) Compare() {
	s.prune()
	all := s.All()
	if len(all) == 0 {
		return
	}
	s.mu.Lock()
	ready, p := s.state == Ready, all[s.turn%len(all)]
	s.turn++
	s.mu.Unlock()
	if ready {
		s.Mend(p)
	}
}

// prune drops peers that the group has not seen for a whole interval: a greeting came late,
// and whoever answers at that address now is another member. One that is there after all is
// met again when it says something.
func (s *Set[P]) prune() {
	for _, p := range s.All() {
		b := p.base()
		seen := s.inView(b.Node)
		b.mu.Lock()
		drop := !seen && b.unseen
		b.unseen = !seen
		b.mu.Unlock()
		if drop {
			s.Drop(b.Node)
		}
	}
}
