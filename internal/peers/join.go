package peers

import (
	"bytes"
	"context"
	"log/slog"
	"time"
)

// Join gets everything from a peer that has it. Without one, the member is ready when it has
// looked for others for a moment; of several that start together, the first by its id is,
// and the others get what it has: nothing, quickly. It returns when Owner.Ready was called or
// ctx has ended.
func (s *Set[P]) Join(ctx context.Context) {
	for _, m := range s.View().Members {
		s.Meet(m)
	}
	discover := time.NewTimer(s.Discover)
	defer discover.Stop()
	var late <-chan time.Time
	if s.Timeout > 0 {
		timeout := time.NewTimer(s.Timeout)
		defer timeout.Stop()
		late = timeout.C
	}
	var none P
	looked := false
	for {
		changed, again := s.Changed(), (<-chan time.Time)(nil)
		provider, wait := s.provider()
		switch {
		case provider != none:
			if s.load(ctx, provider) {
				s.joined(ctx)
				return
			}
			if next, _ := s.provider(); next == none || next.base().failed > 0 {
				changed, again = nil, time.After(s.Budget/2) // who has failed is not asked again at once
			}
		case looked && !wait:
			s.joined(ctx)
			return
		}
		select {
		case <-changed:
		case <-again:
		case <-discover.C:
			looked = true
		case <-late:
			if s.own.Late() {
				s.joined(ctx)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// load gets everything from a peer, which is left out if it does not give it.
func (s *Set[P]) load(ctx context.Context, p P) bool {
	s.announce(ctx, Loading)
	err := s.own.Load(ctx, p)
	switch b := p.base(); {
	case err == nil:
		return true
	case ctx.Err() == nil:
		s.Tell(slog.LevelWarn, "state transfer goes on elsewhere", b.Member(), "err", err)
		b.failed++
		b.LeaveOut("state transfer failed")
		s.announce(ctx, Starting) // so that two that failed do not wait for each other
	}
	return false
}

// provider returns a peer that can give everything, or else whether one will: of several the
// one that has failed to least often. One that does not answer may: if it has crashed, the
// group drops it.
func (s *Set[P]) provider() (best P, wait bool) {
	var none P
	wait = s.Awaited()
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	for _, p := range s.All() {
		b := p.base()
		stands, state := b.Is()
		switch {
		case stands < Silent && state == Ready:
			if best == none || b.failed < best.base().failed {
				best = p
			}
		case stands <= Silent && state != Starting,
			stands < Silent && bytes.Compare(b.Node[:], self[:]) < 0:
			wait = true
		}
	}
	return best, wait
}

// joined makes the member ready: first for the others.
func (s *Set[P]) joined(ctx context.Context) {
	s.announce(ctx, Ready)
	s.believed(ctx)
	s.own.Ready()
	for _, p := range s.All() {
		s.Mend(p) // what others wrote while the provider read may have passed by
	}
}

// believed waits until the others know that this member is ready, or have not answered for
// the budget: who does not know it does not wait for it.
func (s *Set[P]) believed(ctx context.Context) {
	limit := time.NewTimer(s.Budget)
	defer limit.Stop()
	for {
		changed := s.Changed()
		if !s.unheard() {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			s.Logger.Warn("ready, and not all members know it")
			return
		case <-ctx.Done():
			return
		}
	}
}
