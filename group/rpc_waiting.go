package group

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// waiting has the calls that wait for replies, by their ids.
type waiting struct {
	max int

	mu    sync.Mutex
	calls map[message.ID]*call
	pool  sync.Pool
}

// call is one call from its beginning to the end of its wait and the last outcome of
// its request, whichever comes later. Then it is used again, so whoever has found one
// must look at its id.
type call struct {
	w       *waiting
	receipt *message.Receipt
	settled func(*message.Receipt) // c.sent; made once
	signal  chan struct{}          // has room for one value: look again
	holds   atomic.Int32           // the caller, the receipt
	to      []*Member              // for the receipt
	ticket  [ticketSize]byte

	mu      sync.Mutex
	id      message.ID
	mode    Mode
	judge   judge    // nil: all replies count
	want    int      // replies
	got     int      // replies that count
	open    int      // destinations without an outcome
	fresh   []int    // replies that were not judged
	answers []Answer // nil when the wait is over
}

// begin makes a call and, unless it wants no replies, lists it.
func (w *waiting) begin(to []*Member, mode Mode, j judge) (*call, error) {
	c, ok := w.pool.Get().(*call)
	if !ok {
		c = &call{w: w, receipt: message.NewReceipt(0, nil), signal: make(chan struct{}, 1)}
		c.settled = c.sent
	}
	select {
	case <-c.signal: // of its last life
	default:
	}
	c.mu.Lock()
	c.id, c.mode, c.judge = message.NewID(), mode, j
	c.want, c.got, c.open = mode.want(len(to)), 0, len(to)
	c.answers = make([]Answer, len(to))
	for i, m := range to {
		c.answers[i].Member = m
	}
	c.to = append(c.to[:0], to...)
	c.mu.Unlock()
	c.receipt.Reset(len(to), c.settled)
	c.holds.Store(2)
	if mode == NoReply {
		return c, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.calls) >= w.max {
		return nil, ErrTooManyCalls // and c is garbage
	}
	w.calls[c.id] = c
	return c, nil
}

// find returns the call of that id, if it waits.
func (w *waiting) find(id message.ID) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[id]
}

// size is the number of calls that wait.
func (w *waiting) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

// gone tells all calls that a member has left or failed.
func (w *waiting) gone(k membership.Key, o CallOutcome) {
	type listed struct {
		id message.ID
		c  *call
	}
	w.mu.Lock()
	all := make([]listed, 0, len(w.calls))
	for id, c := range w.calls {
		all = append(all, listed{id, c})
	}
	w.mu.Unlock()
	for _, x := range all {
		for x.c.settle(x.id, k, Answer{Outcome: o, Err: departed(o)}) { // a member may be there twice
		}
	}
}

// settle gives the outcome at the member of that key. It reports false if the call
// does not wait for it, or not any more.
func (c *call) settle(id message.ID, k membership.Key, a Answer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id != id || c.answers == nil {
		return false
	}
	for i := range c.answers {
		if c.answers[i].Outcome == 0 && c.answers[i].Member.Key() == k {
			c.record(i, a)
			return true
		}
	}
	return false
}

// record notes an outcome and wakes the caller if that may end its wait. It is called
// with mu held.
func (c *call) record(i int, a Answer) {
	a.Member = c.answers[i].Member
	c.answers[i] = a
	c.open--
	switch {
	case a.Outcome != CallReplied:
	case c.judge == nil:
		c.got++
	default:
		c.fresh = append(c.fresh, i)
	}
	if len(c.fresh) > 0 || c.decided() {
		select {
		case c.signal <- struct{}{}:
		default: // it is awake already
		}
	}
}

// decided reports whether the replies that are wanted are there, or cannot be any
// more. It is called with mu held.
func (c *call) decided() bool {
	switch c.mode {
	case AllReplies, NoReply:
		return c.open == 0 && len(c.fresh) == 0
	}
	return c.got >= c.want || c.got+c.open+len(c.fresh) < c.want
}

// sent is told that the request has its outcome everywhere.
func (c *call) sent(r *message.Receipt) {
	if c.mode == NoReply || !r.OK() {
		c.noteResults(r.Results(c.to, nil))
	}
	c.release()
}

func (c *call) noteResults(results []message.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		return
	}
	for i, res := range results {
		switch {
		case c.answers[i].Outcome != 0:
		case !res.Outcome.OK():
			c.record(i, Answer{Outcome: CallSendFailed, Err: sendError(res)})
		case c.mode == NoReply:
			c.record(i, Answer{Outcome: CallNotAwaited})
		}
	}
}

// sendError says what became of a request that was not sent.
func sendError(res message.Result) error {
	if res.Err == nil {
		return errors.New("tribes: rpc: request " + res.Outcome.String())
	}
	return res.Err
}

// wait returns when the call is decided, or says what has ended it before.
func (c *call) wait(ctx context.Context, stopped <-chan struct{}) (timedOut bool, cause error) {
	for !c.look() {
		select {
		case <-c.signal:
			continue
		case <-ctx.Done():
			timedOut, cause = ctx.Err() == context.DeadlineExceeded, context.Cause(ctx)
		case <-stopped:
			cause = ErrClosed
		}
		if c.look() { // both at a time: the replies tell more
			return false, nil
		}
		c.receipt.Abandon()
		return timedOut, cause
	}
	return false, nil
}

// look has new replies judged, without a lock, and reports whether the call is decided.
func (c *call) look() bool {
	for {
		i, decided := c.next()
		if i < 0 {
			return decided
		}
		c.judgeReply(i)
	}
}

// next takes a reply that must be judged, if there is one and it matters.
func (c *call) next() (i int, decided bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	decided = c.decided()
	if decided || len(c.fresh) == 0 {
		return -1, decided
	}
	i = c.fresh[0]
	c.fresh = c.fresh[1:]
	return i, false
}

func (c *call) judgeReply(i int) {
	c.mu.Lock()
	a := c.answers[i]
	c.mu.Unlock()
	a.Outcome = c.judge(i, &a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers[i].Outcome, c.answers[i].Err = a.Outcome, a.Err; a.Outcome == CallReplied {
		c.got++
	}
}

// finish ends the wait and hands out what has come of it.
func (c *call) finish(timedOut bool, cause error) (got int, answers []Answer) {
	if c.mode != NoReply {
		c.w.mu.Lock()
		delete(c.w.calls, c.id)
		c.w.mu.Unlock()
	}
	outcome, err := unanswered(timedOut, cause)
	c.mu.Lock()
	got, answers, c.answers = c.got, c.answers, nil
	for _, i := range c.fresh { // not needed any more
		answers[i] = Answer{Member: answers[i].Member, Outcome: CallNotAwaited}
	}
	c.fresh, c.judge = c.fresh[:0], nil
	c.mu.Unlock()
	for i := range answers {
		if answers[i].Outcome == 0 {
			answers[i].Outcome, answers[i].Err = outcome, err
		}
	}
	c.release()
	return got, answers
}

// release drops a hold. With the last one the call is used again.
func (c *call) release() {
	if c.holds.Add(-1) > 0 {
		return
	}
	c.mu.Lock()
	c.id = message.ID{}
	clear(c.to)
	c.mu.Unlock()
	c.w.pool.Put(c)
}
