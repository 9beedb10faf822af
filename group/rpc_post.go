package group

import (
	"context"
	"fmt"
	"sync"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// post is an answer on its way. It is used again when its outcome is known.
type post struct {
	l       *rpc
	receipt *message.Receipt
	settled func(*message.Receipt) // p.settle; made once
	id      message.ID
	to      [1]*membership.Member
}

// mostAnswers is how many answers may be on their way for one more to go to who is no
// member. Anybody can ask in names that are made up, and what is sent to those stays
// for as long as the time limits of the sender.
const mostAnswers = 1024

var errStranger = fmt.Errorf("tribes: rpc: too many answers are on their way for one to a stranger: %w", ErrQueueFull)

// post sends an answer and does not wait for its outcome. It takes the message over.
// ctx bounds the wait for room. With an error nothing was sent; the caller sees to
// that.
func (l *rpc) post(ctx context.Context, to *membership.Member, m *message.Message) error {
	p, ok := l.posts.Get().(*post)
	if !ok {
		p = &post{l: l, receipt: message.NewReceipt(0, nil)}
		p.settled = p.settle
	}
	p.id, p.to[0] = m.ID, to
	p.receipt.Reset(1, p.settled)
	var err error
	if n := l.jobs.send(1); n > mostAnswers && l.view().Find(to.Key()) == nil {
		err = errStranger
	} else {
		err = l.send(ctx, p.to[:], m, p.receipt) // with no error p is not ours any more
	}
	m.Release()
	if err != nil {
		p.recycle()
	}
	return err
}

// settle is told of the outcome.
func (p *post) settle(r *message.Receipt) {
	if !r.OK() {
		p.l.lost(p.to[0], p.id, r.Results(p.to[:], nil)[0].Err)
	}
	p.recycle()
}

func (p *post) recycle() {
	l := p.l
	p.to[0] = nil
	l.posts.Put(p)
	l.jobs.send(-1)
}

// aside does what the goroutines that bring messages must not wait for, one after the
// other.
type aside struct {
	l *rpc

	mu    sync.Mutex
	queue []todo
	bytes int // of the queue
	busy  bool
}

// How much may wait to be done, and how many bytes that may hold: what holds more by
// itself waits alone.
const (
	asideMost  = 1024
	asideBytes = 16 << 20
)

// todo is something to be done, which holds some bytes until then.
type todo struct {
	f    func()
	size int
}

// put has f, which holds size bytes, called soon, unless too much waits already.
func (a *aside) put(size int, f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) >= asideMost || len(a.queue) > 0 && a.bytes+size > asideBytes {
		return false
	}
	a.queue = append(a.queue, todo{f, size})
	a.bytes += size
	if !a.busy {
		a.busy = true
		a.l.host.Go(rpcName, func(context.Context) { a.work() })
	}
	return true
}

func (a *aside) work() {
	for f := a.next(); f != nil; f = a.next() {
		f()
	}
}

// next returns what is to be done; nil ends the goroutine.
func (a *aside) next() func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		a.busy, a.queue = false, nil
		return nil
	}
	first := a.queue[0]
	a.queue[0] = todo{}
	a.queue = a.queue[1:]
	a.bytes -= first.size
	return first.f
}
