package interceptor

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// orderSource is one sender.
//
// Decisions are made under mu, and what they deliver is put into track.ready
// under mu, so the order of delivery is the order of decision. Who has the
// baton delivers, one message at a time and without a lock: whoever finds it
// free takes it. Who has to wait for the result of its own message waits until
// the baton is handed to it, delivers what is before its message, then its
// message, and what is free behind it.
type orderSource struct {
	member *membership.Member // as its first message described it
	bytes  atomic.Int64       // its part of Order.bytes

	mu    sync.Mutex // guards what follows
	track track
	baton bool   // somebody delivers
	dead  bool   // it is not in the map any more
	used  uint64 // tick of the last message
}

// orderCall is a call of Receive that waits for the baton.
type orderCall struct {
	baton chan struct{} // has room for one value
}

func newOrderCall() *orderCall { return &orderCall{make(chan struct{}, 1)} }

const (
	maxSources = 1024 // senders remembered that are no members, beside those of which messages wait
	trimMost   = 1024 // senders forgotten in one tick
	heldExtra  = 256  // bytes that a waiting message takes beside its payload
)

// source returns the state of a sender, locked.
func (o *Order) source(from *membership.Member) *orderSource {
	k := from.Key()
	for {
		o.mu.RLock()
		s := o.sources[k]
		o.mu.RUnlock()
		if s == nil {
			s = o.newSource(from)
		}
		s.mu.Lock()
		if !s.dead {
			s.used = o.ticks.Load()
			return s
		}
		s.mu.Unlock()
	}
}

func (o *Order) newSource(from *membership.Member) *orderSource {
	k := from.Key()
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.sources[k]
	if s == nil {
		if len(o.sources) >= maxSources {
			o.evictSource()
		}
		s = &orderSource{member: from, track: newTrack(&o.set, &o.counts)}
		o.sources[k] = s
	}
	return s
}

// trimSources forgets those that were too many while messages of them waited.
func (o *Order) trimSources() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range trimMost {
		if len(o.sources) <= maxSources || !o.evictSource() {
			return
		}
	}
}

// evictSource forgets, of some senders that are no members and have nothing
// waiting, the one that was silent for longest, and reports whether there was one.
// It is called with mu held.
func (o *Order) evictSource() bool {
	var oldest *orderSource
	var key membership.Key
	looked := 0
	for k, s := range o.sources {
		if _, member := o.members[k]; !member && s.mu.TryLock() {
			if s.idle() && (oldest == nil || s.used < oldest.used) {
				if oldest != nil {
					oldest.mu.Unlock()
				}
				oldest, key = s, k
			} else {
				s.mu.Unlock()
			}
		}
		if looked++; looked == evictLook {
			break
		}
	}
	if oldest == nil {
		return false
	}
	oldest.dead = true
	delete(o.sources, key)
	oldest.mu.Unlock()
	return true
}

// idle reports whether nothing of the sender is here. It is called with mu held.
func (s *orderSource) idle() bool {
	return !s.baton && len(s.track.early) == 0 && s.track.ready.len() == 0
}

// receive is the layer's ReceiveFunc.
func (o *Order) receive(ctx context.Context, m *message.Message) error {
	if !o.handles(m.Options) {
		return o.above.Receive(ctx, m)
	}
	tail := m.Trim(numberSize)
	if tail == nil {
		o.counts.dropped.Add(1)
		o.drops.message(m, reasonNoNumber, nil)
		return errNoNumber
	}
	if m.Options.Has(message.Multicast) {
		return o.above.Receive(ctx, m)
	}
	nr, mark := binary.BigEndian.Uint32(tail), markOf(m.ID)
	s := o.source(m.Source)
	switch s.track.place(nr, mark) {
	case repeated:
		s.mu.Unlock()
		o.counts.repeated.Add(1)
		o.host.Trace().Duplicate(m.Source, m.ID)
		return nil
	case tooEarly:
		return o.early(ctx, s, m, nr, mark)
	case tooLate:
		o.counts.late.Add(1)
		if o.set.drop {
			s.mu.Unlock()
			o.counts.dropped.Add(1)
			o.drops.message(m, reasonTooLate, nil)
			return errTooLate
		}
	default:
		o.counts.inOrder.Add(1)
	}
	return o.now(ctx, s, m)
}

// now delivers a message whose turn it is. It is called with s.mu held.
func (o *Order) now(ctx context.Context, s *orderSource, m *message.Message) error {
	if s.baton || s.track.ready.len() > 0 {
		c := newOrderCall()
		s.track.ready.push(held{m: m, call: c})
		s.track.follow()
		return o.finish(ctx, s, c)
	}
	s.baton = true
	s.track.follow()
	s.mu.Unlock()
	err := o.above.Receive(ctx, m)
	s.mu.Lock()
	o.deliver(ctx, s, nil)
	return err
}

// early keeps a message that came before its turn, or ends the wait of all if
// there is no room for it. It is called with s.mu held.
func (o *Order) early(ctx context.Context, s *orderSource, m *message.Message, nr uint32, mark uint64) error {
	h := held{m: m, nr: nr, mark: mark}
	n := int64(m.Len())
	full := len(s.track.early) >= o.set.maxQueue || o.bytes.Load()+n > o.set.maxBytes || s.bytes.Load()+n > o.set.share
	switch {
	case o.draining.Load():
		h.call = newOrderCall()
		s.track.wait(h, time.Time{})
		s.track.flush(nil)
	case full:
		o.counts.overflows.Add(1)
		h.call = newOrderCall()
		s.track.wait(h, time.Time{})
		s.track.flush(always)
	default:
		h.m = m.Copy()
		h.size = int64(cap(h.m.Payload()) + heldExtra)
		o.bytes.Add(h.size)
		s.bytes.Add(h.size)
		o.held.Add(1)
		o.counts.early.Add(1)
		s.track.wait(h, time.Now())
	}
	return o.finish(ctx, s, h.call)
}
