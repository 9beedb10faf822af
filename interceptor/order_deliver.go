package interceptor

import (
	"context"
	"time"

	"github.com/gotribes/tribes/message"
)

// finish reports what there is to report and sees to it that what is ready is
// delivered; if c is not nil, it returns the result of the message of c. It is
// called with s.mu held and returns without it.
func (o *Order) finish(ctx context.Context, s *orderSource, c *orderCall) error {
	rep := s.report()
	dropped := rep.drops(c)
	take := !s.baton && s.track.ready.len() > 0
	s.baton = s.baton || take
	s.mu.Unlock()
	o.tell(rep)
	if !take && c != nil && !dropped {
		<-c.baton
		take = true
	}
	var err error
	if take {
		s.mu.Lock()
		err = o.deliver(ctx, s, c)
	}
	if dropped {
		return errTooLate
	}
	return err
}

// deliver delivers what is ready, until a message comes that another call waits
// for: that call gets the baton. It returns the result of the message of mine,
// if that is among them. It is called with s.mu held and the baton, and returns
// without both.
func (o *Order) deliver(ctx context.Context, s *orderSource, mine *orderCall) error {
	var result error
	for s.track.ready.len() > 0 {
		h := s.track.ready.first()
		if h.call != nil && h.call != mine {
			h.call.baton <- struct{}{} // has room: it is handed on once
			s.mu.Unlock()
			return result
		}
		s.track.ready.pop()
		s.mu.Unlock()
		err := o.above.Receive(ctx, h.m)
		if h.call != nil {
			result = err
		} else {
			o.free(s, h)
		}
		s.mu.Lock()
	}
	s.baton = false
	s.mu.Unlock()
	return result
}

// free lets go of a copy.
func (o *Order) free(s *orderSource, h held) {
	h.m.Release()
	s.bytes.Add(-h.size)
	o.bytes.Add(-h.size)
	if o.held.Add(-1) == 0 && o.draining.Load() {
		select {
		case o.empty <- struct{}{}:
		default: // it was told before
		}
	}
}

// start delivers what is ready on a goroutine of its own, unless somebody has
// the baton, who will do it. It is called with s.mu held and returns without
// it.
func (o *Order) start(s *orderSource) {
	rep := s.report()
	take := !s.baton && s.track.ready.len() > 0
	s.baton = s.baton || take
	s.mu.Unlock()
	o.tell(rep)
	if !take {
		return
	}
	o.host.Go("order", func(ctx context.Context) {
		s.mu.Lock()
		_ = o.deliver(ctx, s, nil) // nobody waits for a result
	})
}

// tick ends the wait of what has waited for too long.
func (o *Order) tick(now time.Time) {
	o.ticks.Add(1)
	o.trimSources()
	if o.held.Load() == 0 {
		return
	}
	for _, s := range o.all() {
		s.mu.Lock()
		s.track.expire(now)
		o.start(s)
	}
}

// drain ends all waiting for good, and waits until what has waited is
// delivered, or ctx ends.
func (o *Order) drain(ctx context.Context) {
	o.draining.Store(true) // before the locks are taken: who has one later sees it
	for _, s := range o.all() {
		s.mu.Lock()
		s.track.flush(nil)
		o.start(s)
	}
	for o.held.Load() > 0 {
		select {
		case <-o.empty:
		case <-ctx.Done():
			return
		}
	}
}

func (o *Order) all() []*orderSource {
	o.mu.RLock()
	defer o.mu.RUnlock()
	all := make([]*orderSource, 0, len(o.sources))
	for _, s := range o.sources {
		all = append(all, s)
	}
	return all
}

// orderReport is what the trace and the log are told when no lock is held.
type orderReport struct {
	from    *orderSource
	gaps    int
	expired []held
}

// report takes what is to be reported. It is called with s.mu held.
func (s *orderSource) report() orderReport {
	rep := orderReport{s, s.track.gaps, s.track.expired}
	s.track.gaps, s.track.expired = 0, nil
	return rep
}

// drops reports whether the message of c is dropped.
func (rep *orderReport) drops(c *orderCall) bool {
	for _, h := range rep.expired {
		if c != nil && h.call == c {
			return true
		}
	}
	return false
}

func (o *Order) tell(rep orderReport) {
	for range rep.gaps {
		o.host.Trace().MessageDropped(o.drops.layer, rep.from.member, message.ID{}, reasonMissing)
	}
	if rep.gaps > 0 {
		o.drops.warn("messages did not come in time; those behind them are delivered", rep.from.member, "gaps", rep.gaps, nil)
	}
	for _, h := range rep.expired {
		o.counts.dropped.Add(1)
		o.drops.message(h.m, reasonExpired, nil)
		if h.call == nil {
			o.free(rep.from, h)
		}
	}
}
