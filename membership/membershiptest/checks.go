package membershiptest

import (
	"context"
	"errors"

	"github.com/gotribes/tribes/membership"
)

// startsAlone: a lone service starts without waiting and sees nobody.
func startsAlone(s *suite) {
	n := s.node(0)
	n.checkView(n.Service.View())
	n.mustStart(true, true)
	if v := n.Service.View(); v == nil || v.Len() != 0 {
		s.Errorf("%s: View() = %v, want an empty one", n, v)
	}
}

func twoSeeEachOther(s *suite) {
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.awaitPeers(a)
	s.sameDescription(a.now().present[b.Local.Key()], b.Local)
	s.sameDescription(b.now().present[a.Local.Key()], a.Local)
}

// sameDescription compares all but the alive times.
func (s *suite) sameDescription(got, want *membership.Member) {
	s.Helper()
	g, w := got.Attributes(), want.Attributes()
	g.Alive, w.Alive = 0, 0
	if s.group.NoUpdate { // then the description cannot be expected to travel either
		g, w = membership.Attributes{Host: g.Host, Port: g.Port, ID: g.ID}, membership.Attributes{Host: w.Host, Port: w.Port, ID: w.ID}
	}
	if g != w {
		s.Errorf("a member is seen as %+v, want %+v", g, w)
	}
}

func lateComerSeesAll(s *suite) {
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.awaitPeers(a)
	c := s.start(2)
	c.awaitPeers(a, b)
	a.awaitPeers(b, c)
	b.awaitPeers(a, c)
}

// startContextEnds: the end of the context of Start ends nothing. All starts of
// the suite end theirs; this one waits for what happens much later.
func startContextEnds(s *suite) {
	a, b := s.node(0), s.node(1)
	ctx, cancel := context.WithCancel(context.Background())
	for _, n := range []*node{a, b} {
		if err := n.Service.Start(ctx, n.env(true, true)); err != nil {
			s.Fatalf("%s: Start() = %v, want nil", n, err)
		}
	}
	a.awaitPeers(b)
	b.awaitPeers(a)
	cancel()
	c := s.start(2)
	a.awaitPeers(b, c)
	b.awaitPeers(a, c)
	c.awaitPeers(a, b)
}

func (s *suite) with(m *membership.Member, change func(*membership.Attributes)) *membership.Member {
	s.Helper()
	next, err := m.With(change)
	if err != nil {
		s.Fatal(err)
	}
	return next
}

func updateIsSeen(s *suite) {
	if s.group.NoUpdate {
		return
	}
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.awaitPeers(a)
	for _, change := range []func(*membership.Attributes){
		func(at *membership.Attributes) { at.Payload = "changed payload" },
		func(at *membership.Attributes) { at.Domain = "changed domain" },
		func(at *membership.Attributes) { at.Payload = ""; at.Command = "a command" },
	} {
		next := s.with(a.Local, func(at *membership.Attributes) { at.Alive += 1000; change(at) })
		a.Local = next
		a.Service.Update(next)
		b.await(s.group.Patience, "the changed description", func(h history) bool {
			got, last := h.view.Find(next.Key()), h.events[len(h.events)-1]
			return last.Kind == membership.Updated && alike(last.Member, next) && got != nil && alike(got, next)
		})
	}
}

// alike compares what an update can change.
func alike(a, b *membership.Member) bool {
	return a.Domain() == b.Domain() && a.Payload() == b.Payload() && a.Command() == b.Command()
}

// updateWithoutChange: an update that changes nothing is no event.
func updateWithoutChange(s *suite) {
	if s.group.NoUpdate {
		return
	}
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.awaitPeers(a)
	a.Service.Update(s.with(a.Local, func(at *membership.Attributes) { at.Alive += 1000 }))
	a.Service.Update(s.with(a.Local, func(at *membership.Attributes) { at.Alive += 2000; at.Payload = "marker" }))
	ev := b.awaitEvent(s.group.Patience, membership.Updated, a.Local.Key())
	if ev.Member.Payload() != "marker" {
		s.Errorf("an update without change was told: %s", describe(b.now().events))
	}
}

// updateWhileNotRunning: an update before the start or after the stop does
// nothing; above all it does not bring back a member that said goodbye.
func updateWhileNotRunning(s *suite) {
	a, b := s.start(0), s.node(1)
	next := s.with(b.Local, func(at *membership.Attributes) { at.Payload = "not to be seen" })
	b.Service.Update(next)
	b.mustStart(true, true)
	a.awaitPeers(b)
	if got := a.now().present[b.Local.Key()]; got.Payload() == next.Payload() {
		s.Errorf("%s announces what it was told before its start", b)
	}
	b.stop()
	a.awaitPeers()
	before := len(a.now().events)
	b.Service.Update(next)
	c := s.start(2)
	a.awaitEvent(s.group.Patience, membership.Joined, c.Local.Key())
	c.awaitPeers(a)
	after := history{events: a.now().events[before:]}
	if after.saw(b.Local.Key()) && !s.group.NoHiding {
		s.Errorf("%s is announced by an update after its stop: %s", b, describe(after.events))
	}
}

// awaitGone waits until n was told that k is gone: as kind, and within the bound of a
// failure if that kind is Failed.
func (n *node) awaitGone(kind membership.Kind, k membership.Key) {
	n.s.Helper()
	within := n.s.group.Patience
	if kind == membership.Failed {
		within = n.s.group.FailWithin
	}
	n.awaitEvent(within, kind, k)
}

// stopKind is how a Stop looks to the others.
func (s *suite) stopKind() membership.Kind {
	if s.group.NoGoodbye {
		return membership.Failed
	}
	return membership.Left
}

func stopIsSeen(s *suite) {
	a, b, c := s.start(0), s.start(1), s.start(2)
	a.awaitPeers(b, c)
	c.awaitPeers(a, b)
	b.stop()
	a.awaitGone(s.stopKind(), b.Local.Key())
	c.awaitGone(s.stopKind(), b.Local.Key())
	a.awaitPeers(c)
	c.awaitPeers(a)
}

func killIsSeen(s *suite) {
	a, b, c := s.start(0), s.start(1), s.start(2)
	a.awaitPeers(b, c)
	c.awaitPeers(a, b)
	if b.Kill == nil {
		return
	}
	b.kill()
	a.awaitGone(membership.Failed, b.Local.Key())
	c.awaitGone(membership.Failed, b.Local.Key())
	a.awaitPeers(c)
	c.awaitPeers(a)
}

func restartAfterStop(s *suite) {
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.stop()
	again := s.startAgain(b)
	a.awaitPeers(again)
	again.awaitPeers(a)
}

// restartAfterKill: the process is back before anybody has missed it. For a
// while both may be seen.
func restartAfterKill(s *suite) {
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	if b.Kill == nil {
		return
	}
	b.kill()
	again := s.startAgain(b)
	a.awaitEvent(s.group.Patience, membership.Joined, again.Local.Key())
	a.awaitGone(membership.Failed, b.Local.Key())
	a.awaitPeers(again)
	again.awaitPeers(a)
}

func (s *suite) startAgain(n *node) *node {
	s.Helper()
	again := s.start(n.place)
	if again.Local.AddrPort() != n.Local.AddrPort() || again.Local.ID() == n.Local.ID() {
		s.Fatalf("membershiptest: node %d is %s after a restart and was %s: want the same address and a new ID", n.place, again.Local, n.Local)
	}
	return again
}

func manyComeAndGo(s *suite) {
	var all []*node
	for i := range MaxNodes {
		all = append(all, s.node(i))
	}
	for _, n := range all {
		n.mustStart(true, true)
	}
	for i, n := range all {
		n.awaitPeers(without(all, i)...)
	}
	all[1].stop()
	all[3].stop()
	left := []*node{all[0], all[2], all[4]}
	for i, n := range left {
		n.awaitPeers(without(left, i)...)
	}
	left = append(left, s.startAgain(all[1]), s.startAgain(all[3]))
	for i, n := range left {
		n.awaitPeers(without(left, i)...)
	}
}

func without(all []*node, i int) []*node {
	return append(append([]*node(nil), all[:i]...), all[i+1:]...)
}

// noNotifyAfterStop: much happens after the stop of a node, and it is not told.
func noNotifyAfterStop(s *suite) {
	a, b, c := s.start(0), s.start(1), s.start(2)
	a.awaitPeers(b, c)
	b.awaitPeers(a, c)
	a.stop()
	c.stop()
	b.awaitPeers()
	d := s.start(3)
	b.awaitPeers(d)
	d.stop()
	b.awaitPeers()
}

func stopTwice(s *suite) {
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.awaitPeers(a)
	a.stop()
	a.stop()
	b.awaitPeers()
}

// stopBeforeStart does no harm to the service or to others.
func stopBeforeStart(s *suite) {
	a, b := s.start(0), s.node(1)
	b.stop()
	b.stop()
	c := s.start(2)
	a.awaitPeers(c)
	if a.now().saw(b.Local.Key()) && !s.group.NoHiding {
		s.Errorf("%s saw %s, which was never started", a, b)
	}
}

// stopAtOnce stops while the service starts and right after it has started.
func stopAtOnce(s *suite) {
	a, b := s.start(0), s.start(1)
	b.stop()
	c := s.node(2)
	ended := make(chan struct{})
	go func() { // ends with Start, which waits for nobody
		defer close(ended)
		// An error is as good as none: the stop may have been first.
		_ = c.Service.Start(context.Background(), c.env(true, true))
	}()
	ctx, cancel := context.WithTimeout(context.Background(), s.group.Patience)
	defer cancel()
	_ = c.Service.Stop(ctx)
	<-ended
	c.stop()
	d := s.start(3)
	a.awaitPeers(d)
	d.awaitPeers(a)
}

// stopWithEndedContext may leave out the goodbye, but ends everything.
func stopWithEndedContext(s *suite) {
	a, b := s.start(0), s.start(1)
	a.awaitPeers(b)
	b.awaitPeers(a)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Service.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("%s: Stop with an ended context = %v, want nil or %v", b, err, context.Canceled)
	}
	b.silence()
	a.await(max(s.group.Patience, s.group.FailWithin), "the end of "+b.String(), func(h history) bool {
		return h.present[b.Local.Key()] == nil
	})
	c := s.start(2)
	a.awaitPeers(c)
}

// startError: after a failed start nothing runs.
func startError(s *suite) {
	if s.group.Broken == nil {
		return
	}
	a := s.start(0)
	b := s.adopt(1, s.group.Broken())
	if err := b.Service.Start(context.Background(), b.env(true, true)); err == nil {
		s.Fatalf("%s: Start() of a broken node = nil, want an error", b)
	}
	s.nothingRuns(a, b)
}

func startWithEndedContext(s *suite) {
	a, b := s.start(0), s.node(1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Service.Start(ctx, b.env(true, true)); err != nil {
		s.nothingRuns(a, b)
		return
	}
	a.awaitPeers(b)
}

// nothingRuns checks that b, whose start has failed, notices nothing any more
// and is noticed by nobody.
func (s *suite) nothingRuns(a, b *node) {
	s.Helper()
	b.silence()
	c := s.start(2)
	a.await(s.group.Patience, "only "+c.String(), func(h history) bool {
		return h.present[c.Local.Key()] != nil && (s.group.NoHiding || h.present[b.Local.Key()] == nil)
	})
	c.await(s.group.Patience, "only "+a.String(), func(h history) bool {
		return h.present[a.Local.Key()] != nil && (s.group.NoHiding || h.present[b.Local.Key()] == nil)
	})
	b.stop()
}
