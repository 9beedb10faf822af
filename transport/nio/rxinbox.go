package nio

import (
	"sync"

	"github.com/gotribes/tribes/message"
)

// rxEntry is one received message on its way to delivery.
type rxEntry struct {
	m      *message.Message
	size   int    // bytes of its frame
	number uint64 // among the frames with UseAck of its connection; 0 without UseAck
	sync   bool   // it is answered after delivery
	oddID  bool   // its id has not 16 bytes
}

// entryCost is what a message in an inbox counts beside its frame, in bytes.
const entryCost = 256

// rxBatch is a list of messages in the order in which they came.
type rxBatch struct {
	entries []rxEntry
	bytes   int
}

// rxBatches keeps batches for reuse.
type rxBatches struct{ pool sync.Pool }

func (p *rxBatches) newBatch() *rxBatch {
	if b, ok := p.pool.Get().(*rxBatch); ok {
		return b
	}
	return new(rxBatch)
}

// joinBatches appends b to a, which may be nil, and returns the whole.
func (p *rxBatches) joinBatches(a, b *rxBatch) *rxBatch {
	if a == nil {
		return b
	}
	a.entries = append(a.entries, b.entries...)
	a.bytes += b.bytes
	p.freeBatch(b)
	return a
}

// freeBatch takes back a batch whose messages are somebody else's or released.
func (p *rxBatches) freeBatch(b *rxBatch) {
	clear(b.entries)
	b.entries, b.bytes = b.entries[:0], 0
	p.pool.Put(b)
}

// drain delivers what is in the inbox until it is empty, or until it is another
// connection's turn. One goroutine at a time runs it.
func (c *rxConn) drain() {
	for {
		c.mu.Lock()
		b := c.inbox
		c.inbox = nil
		if b == nil {
			c.draining = false
		}
		c.mu.Unlock()
		if b == nil {
			break
		}
		c.deliver(b)
		c.r.freeBatch(b)
		if c.r.workers.yield(c) {
			return
		}
	}
	c.r.workers.done()
	c.tryFinish()
	c.r.pending.Done()
}

// deliver delivers a batch, and answers those that are answered after delivery:
// all together, or those that are done when they have waited for ackDelay.
func (c *rxConn) deliver(b *rxBatch) {
	if len(b.entries) > 1 || c.hereSince.Load() != 0 {
		c.r.slow.add(c)
		defer c.r.slow.remove(c)
	}
	c.r.count.messages.Add(uint64(len(b.entries)))
	for i := range b.entries {
		e := &b.entries[i]
		now := int64(0)
		if since := c.unwritten.Load(); since != 0 || e.number != 0 {
			if now = c.r.now(); since != 0 && now-since > ackDelay {
				c.flush()
			}
		}
		if c.wanted(e) {
			c.deliverOne(e, now)
		}
		e.m.Release()
		e.m = nil
		c.passed.pass()
		c.leave(e.size + entryCost)
	}
	if c.unwritten.Load() != 0 {
		c.flush()
	}
}

// leave notes that bytes have left the inbox.
func (c *rxConn) leave(n int) {
	if queued := c.queued.Add(-int64(n)); queued <= c.r.inboxLow && c.hold.Load()&holdInbox != 0 {
		c.release(holdInbox)
	}
}

// wanted reports whether a message is to be delivered. One that was not answered
// is not when the connection was reset: its sender gave it up, and knows.
func (c *rxConn) wanted(e *rxEntry) bool {
	if c.r.cutting.Load() {
		c.r.drop(e.m, droppedAtStop)
		return false
	}
	if e.number == 0 || !c.reset.Load() {
		return true
	}
	c.mu.Lock()
	answered := c.answers.answered(e.number)
	c.mu.Unlock()
	if !answered {
		c.r.drop(e.m, droppedByReset)
	}
	return answered
}

// Why a message was dropped, for channel.Trace.
const (
	droppedAtStop  = "stopped"
	droppedByReset = "connection reset"
)

// drop counts a message that is not delivered, and tells.
func (r *Receiver) drop(m *message.Message, reason string) {
	r.count.dropped.Add(1)
	r.env.Trace.MessageDropped("receiver", m.Source, m.ID, reason)
}

// deliverOne delivers a message that is taken off the inbox at the time now, which is
// needed for one with a number alone.
func (c *rxConn) deliverOne(e *rxEntry, now int64) {
	var v verdict
	if e.number != 0 {
		v = c.r.deliverOnce(e, &c.sender, now)
	} else {
		v = c.r.deliverNow(e.m)
	}
	if !e.sync {
		return
	}
	c.mu.Lock()
	c.answers.settle(e.number, v.refused, v.reason)
	if c.unwritten.Load() == 0 {
		c.unwritten.Store(c.r.now())
	}
	c.mu.Unlock()
}
