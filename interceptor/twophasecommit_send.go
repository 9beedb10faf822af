package interceptor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// A confirmation is the id of a message between these two (docs/wire.md,
// Interceptors).
const (
	confirmHead = "\x71\x01\xc6\x02\xde\xc4\x4b\xb2\x9b\xf4\x20\xe3\x20\x6f\xd8\x04"
	confirmTail = "\x36\xf3\x5a\x6e\x2f\xe1\x4b\xe8\xaf\xe3\x24\x34\xc6\x4d\x92\x38"
	confirmSize = len(confirmHead) + 16 + len(confirmTail)
)

// send is the layer's SendFunc.
func (c *TwoPhaseCommit) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if !m.Options.Has(c.set.flag) || len(to) == 0 {
		return c.next(ctx, to, m, r)
	}
	p := c.proposal(to, m, r)
	c.out.begin()
	if err := c.next(ctx, to, m, p.first); err != nil {
		p.end()
		return err
	}
	c.counts.sent.Add(1)
	return nil
}

// proposal is one message that was sent and is not confirmed yet. It is used again
// when it has ended.
type proposal struct {
	c       *TwoPhaseCommit
	first   *message.Receipt       // of the message
	settle  func(*message.Receipt) // p.settled; made once
	to      []*membership.Member
	begun   time.Time
	id      message.ID
	options message.Options
	r       *message.Receipt // of both
}

func (c *TwoPhaseCommit) proposal(to []*membership.Member, m *message.Message, r *message.Receipt) *proposal {
	p, ok := c.pool.Get().(*proposal)
	if !ok {
		p = &proposal{c: c, first: message.NewReceipt(0, nil)}
		p.settle = p.settled
	}
	p.to, p.id, p.options, p.r = append(p.to[:0], to...), m.ID, m.Options, r
	p.begun = time.Now()
	p.first.Reset(len(to), p.settle)
	return p
}

// end is called once, when nothing of p is needed any more.
func (p *proposal) end() {
	c := p.c
	clear(p.to)
	p.r = nil
	c.pool.Put(p)
	c.out.end()
}

// settled is told what became of the message at all destinations.
func (p *proposal) settled(first *message.Receipt) {
	if first.OK() && !p.r.Abandoned() {
		if !p.c.out.put(p) {
			p.fail(channel.ErrClosed)
		}
		return
	}
	p.c.counts.withheld.Add(1)
	for _, res := range first.Results(p.to, nil) {
		if res.Outcome.OK() {
			res.Outcome, res.Err = message.NotSent, ErrNotConfirmed
		}
		p.r.SettleResult(res)
	}
	p.end()
}

// fail says that the message is not confirmed, though all have it.
func (p *proposal) fail(cause error) {
	p.c.counts.withheld.Add(1)
	p.r.SettleAll(p.to, message.NotSent, fmt.Errorf("%w: %w", ErrNotConfirmed, cause))
	p.end()
}

// errCommitSlow is why a message is not confirmed that destinations have dropped by now.
var errCommitSlow = errors.New("it took longer than Expire")

// confirm sends the confirmation, whose outcome is that of the message.
func (p *proposal) confirm(ctx context.Context) {
	if time.Since(p.begun) >= p.c.set.expire {
		p.fail(errCommitSlow)
		return
	}
	m := p.c.host.NewMessage(confirmSize)
	defer m.Release()
	b := m.Payload()
	n := copy(b, confirmHead)
	n += copy(b[n:], p.id[:])
	copy(b[n:], confirmTail)
	m.Options = p.options
	if err := p.c.next(ctx, p.to, m, p.r); err != nil {
		p.fail(err)
		return
	}
	p.c.counts.confirmed.Add(1)
	p.end()
}

// proposals are the messages that are not confirmed yet. Those that may be
// confirmed are in a queue, which one goroutine works off while there are any.
type proposals struct {
	work func(ctx context.Context) // ps.confirm; made once

	mu      sync.Mutex
	queue   []*proposal
	spare   []*proposal // memory for the queue
	working bool
	open    int // that were begun and have not ended
	closed  bool
	waits   bool          // a drain
	ended   chan struct{} // has room for one value; told when open becomes 0 while a drain waits
}

func (ps *proposals) begin() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.open++
}

func (ps *proposals) end() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.open--
	ps.tell()
}

// tell tells a drain that it is over. It is called with mu held.
func (ps *proposals) tell() {
	if ps.open > 0 || !ps.waits {
		return
	}
	select {
	case ps.ended <- struct{}{}:
	default: // it was told before
	}
}

// put takes a message that may be confirmed; it returns false if that is too late.
func (ps *proposals) put(p *proposal) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return false
	}
	ps.queue = append(ps.queue, p)
	if !ps.working {
		ps.working = true
		p.c.host.Go("confirm", ps.work) // if it is not run any more, close takes the queue
	}
	return true
}

// confirm works the queue off.
func (ps *proposals) confirm(ctx context.Context) {
	var batch []*proposal
	for {
		ps.mu.Lock()
		if n := cap(batch); n > 0 && n <= maxSpare {
			clear(batch)
			ps.spare = batch[:0]
		}
		batch, ps.queue, ps.spare = ps.queue, ps.spare, nil
		ps.working = len(batch) > 0
		ps.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, p := range batch {
			p.confirm(ctx)
		}
	}
}

// maxSpare is the largest queue whose memory is kept.
const maxSpare = 1024

// drain waits until nothing is open, or ctx ends.
func (ps *proposals) drain(ctx context.Context) {
	ps.mu.Lock()
	ps.waits = true
	ps.tell()
	ps.mu.Unlock()
	select {
	case <-ps.ended:
	case <-ctx.Done():
	}
}

// close takes what is in the queue; nothing is put there any more.
func (ps *proposals) close() []*proposal {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.closed = true
	left := ps.queue
	ps.queue = nil
	return left
}
