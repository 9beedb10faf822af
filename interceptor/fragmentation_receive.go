package interceptor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// More reasons for which a part is dropped; see errPartCounts.
var (
	errPartShort = errors.New("too short for a trailer")
	errPartIndex = errors.New("an index out of range")
	errPartSmall = errors.New("a part that is too small")
	errPartClaim = errors.New("a message that would be too large")
	errPartLate  = errors.New("the channel has stopped")
)

const reasonIncomplete = "incomplete"

// part is what the trailer of a part says.
type part struct{ index, count int }

// receive is the layer's ReceiveFunc.
func (f *Fragmentation) receive(ctx context.Context, m *message.Message) error {
	mark := m.Trim(markSize)
	if mark == nil {
		return f.refuse(m, errPartShort)
	}
	if mark[0] == 0 {
		f.counts.whole.Add(1)
		return f.above.Receive(ctx, m)
	}
	p, err := f.parse(m)
	if err != nil {
		return f.refuse(m, err)
	}
	f.counts.received.Add(1)
	if p.count > 1 {
		done, err := f.gather(m, p)
		if err != nil {
			return f.refuse(m, err)
		}
		if !done {
			return nil
		}
	}
	f.counts.assembled.Add(1)
	return f.above.Receive(ctx, m)
}

// refuse drops a part.
func (f *Fragmentation) refuse(m *message.Message, err error) error {
	f.counts.refused.Add(1)
	f.drops.message(m, err.Error(), nil)
	return fmt.Errorf("tribes: fragmentation: %w", err)
}

// parse takes the trailer off a part, but for its last byte, and looks what can be
// said about it alone.
func (f *Fragmentation) parse(m *message.Message) (part, error) {
	tail := m.Trim(partTrailer - markSize)
	if tail == nil {
		return part{}, errPartShort
	}
	p := part{int(int32(binary.BigEndian.Uint32(tail))), int(int32(binary.BigEndian.Uint32(tail[4:])))}
	n := m.Len()
	last := p.index == p.count-1
	switch {
	case p.index < 0 || p.index >= p.count:
		return p, errPartIndex
	case n == 0 || !last && n < f.set.least:
		return p, errPartSmall
	}
	others := n // bytes of a part that is not the last, at least
	if last {
		others = f.set.least
	}
	if p.count-1 > (f.set.limit-1)/others {
		return p, errPartClaim
	}
	return p, nil
}

// gather keeps a part. With the last one that is missing, the payload of m becomes
// that of the message, and done is true.
func (f *Fragmentation) gather(m *message.Message, p part) (done bool, err error) {
	g, err := f.gathering(m, p)
	if err != nil {
		return false, err
	}
	defer g.mu.Unlock()
	if err := g.fits(p.index, p.count, m.Len()); err != nil {
		return false, err
	}
	if g.refused {
		if g.have++; g.have >= g.count {
			f.remove(g)
		}
		return false, errPartRoom
	}
	g.due = time.Now().Add(f.set.expire)
	if g.has(p.index) {
		f.counts.repeated.Add(1)
	} else if !f.reserve(g, m.Len()) {
		g.release()
		f.room.give(g.key.from, g.held, 0)
		g.refused, g.held = true, 0
		g.have++
		return false, errPartRoom
	}
	g.put(p.index, m)
	if g.have < g.count {
		return false, nil
	}
	whole, size := g.whole, g.bytes
	g.whole = nil
	f.remove(g)
	more := len(whole.Bytes()) - size
	m.SetPayload(whole)
	m.Trim(more)
	return true, nil
}

// reserve finds room for n more bytes of g, and takes the memory for the whole if
// it is time.
func (f *Fragmentation) reserve(g *gathering, n int) bool {
	switch {
	case g.whole != nil:
		return true
	case !g.roomy(n):
		return f.charge(g, g.held+int64(n)+heldExtra)
	case !f.charge(g, int64(g.length())):
		return false
	}
	g.unite(f.host.Pool())
	return true
}

// charge makes g hold so many bytes of the allowance.
func (f *Fragmentation) charge(g *gathering, bytes int64) bool {
	if !f.room.take(g.key.from, bytes-g.held, 0) {
		return false
	}
	g.held = bytes
	return true
}

// gathering returns what has come of the message of a part, locked.
func (f *Fragmentation) gathering(m *message.Message, p part) (*gathering, error) {
	k := fragmentKey{m.Source.Key(), m.WireID(), m.Options.Has(message.Secure), m.Seal()}
	for {
		g, err := f.find(k, m, p)
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		if !g.gone {
			return g, nil
		}
		g.mu.Unlock()
	}
}

func (f *Fragmentation) find(k fragmentKey, m *message.Message, p part) (*gathering, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errPartLate
	}
	g := f.all[k]
	if g == nil {
		if !f.room.take(k.from, heldEntry, 1) {
			return nil, errPartRoom
		}
		g = &gathering{key: k, member: m.Source, msg: m.ID, count: p.count, limit: f.set.limit,
			due: time.Now().Add(f.set.expire)}
		f.all[k] = g
	}
	return g, nil
}

// remove forgets g and gives back its room. It is called with g.mu held.
func (f *Fragmentation) remove(g *gathering) {
	g.gone = true
	g.release()
	f.room.give(g.key.from, g.held+heldEntry, 1)
	f.mu.Lock()
	delete(f.all, g.key)
	f.mu.Unlock()
}

// expire gives up messages of which no part has come for too long.
func (f *Fragmentation) expire(now time.Time) {
	for _, g := range f.list() {
		f.giveUp(g, func() bool { return !now.Before(g.due) })
	}
}

// giveUp drops g if it is over.
func (f *Fragmentation) giveUp(g *gathering, over func() bool) {
	g.mu.Lock()
	if g.gone || !over() {
		g.mu.Unlock()
		return
	}
	f.remove(g)
	refused, have := g.refused, g.have
	g.mu.Unlock()
	if refused {
		return // that was told
	}
	f.counts.expired.Add(1)
	f.host.Trace().MessageDropped(f.drops.layer, g.member, g.msg, reasonIncomplete)
	f.drops.warn("a message was dropped: "+reasonIncomplete, g.member, "missing", g.count-have, nil)
}

// depart makes what has come from a member wait for not much longer.
func (f *Fragmentation) depart(k membership.Key, now time.Time) {
	end := now.Add(f.set.grace)
	for _, g := range f.list() {
		if g.key.from != k {
			continue
		}
		g.mu.Lock()
		if end.Before(g.due) {
			g.due = end
		}
		g.mu.Unlock()
	}
}

func (f *Fragmentation) list() []*gathering {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) == 0 {
		return nil
	}
	all := make([]*gathering, 0, len(f.all))
	for _, g := range f.all {
		all = append(all, g)
	}
	return all
}

// close gives everything up; no part is taken any more.
func (f *Fragmentation) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	for _, g := range f.list() {
		f.giveUp(g, func() bool { return true })
	}
}
