package membershiptest

import (
	"context"
	"runtime"
	"sync"

	"github.com/gotribes/tribes/membership"
)

// listenOnly: a node that does not announce itself sees the others and is not
// seen.
func listenOnly(s *suite) {
	a, quiet := s.start(0), s.node(1)
	quiet.mustStart(true, false)
	quiet.await(s.group.Patience, "a view of "+a.String(), seeing(a))
	b := s.start(2)
	quiet.awaitPeers(a, b)
	a.await(s.group.Patience, "a view of "+b.String(), seeing(b))
	b.await(s.group.Patience, "a view of "+a.String(), seeing(a))
	b.stop()
	quiet.awaitPeers(a)
	a.awaitGone(s.stopKind(), b.Local.Key())
	for _, n := range []*node{a, b} {
		if n.now().saw(quiet.Local.Key()) && !s.group.NoHiding {
			s.Errorf("%s saw %s, which does not announce itself", n, quiet)
		}
	}
}

// announceOnly: a node that does not listen is seen and sees nobody.
func announceOnly(s *suite) {
	a, deaf := s.start(0), s.node(1)
	deaf.mustStart(false, true)
	a.awaitPeers(deaf)
	b := s.start(2)
	a.awaitPeers(deaf, b)
	b.awaitPeers(deaf, a)
	if !s.group.NoUpdate {
		next := s.with(deaf.Local, func(at *membership.Attributes) { at.Alive += 1000; at.Payload = "changed" })
		deaf.Service.Update(next)
		a.awaitEvent(s.group.Patience, membership.Updated, next.Key())
	}
	if h := deaf.now(); len(h.events) != 0 || deaf.Service.View().Len() != 0 {
		s.Errorf("%s does not listen and was told %s; its view has %d members",
			deaf, describe(h.events), deaf.Service.View().Len())
	}
	deaf.stop()
	a.awaitPeers(b)
	b.awaitPeers(a)
}

func seeing(n *node) func(h history) bool {
	return func(h history) bool {
		return h.present[n.Local.Key()] != nil && h.view.Find(n.Local.Key()) != nil
	}
}

// concurrentUse calls all methods at the same time; it needs the race detector
// to find most of what can be wrong.
func concurrentUse(s *suite) {
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.awaitPeers(a)
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() { // ends by itself
			for range 50 {
				a.checkView(a.Service.View())
				a.Service.Update(a.Local)
				runtime.Gosched()
			}
		})
	}
	c := s.start(2)
	a.awaitPeers(b, c)
	for range 2 {
		callers.Go(func() { // ends with Stop
			ctx, cancel := context.WithTimeout(context.Background(), s.group.Patience)
			defer cancel()
			if err := c.Service.Stop(ctx); err != nil {
				s.Errorf("%s: one of two calls of Stop = %v, want nil", c, err)
			}
		})
	}
	a.awaitPeers(b)
	callers.Wait()
	a.stop()
	b.awaitPeers()
}
