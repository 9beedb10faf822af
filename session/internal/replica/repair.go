package replica

import (
	"context"
	"errors"
	"slices"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// check is a comparison with a peer that this node waits for.
type check struct {
	from  *peer
	lists map[uint8][]sessionwire.Digest // guarded by Engine.mu
	n     int                            // of digests; guarded by Engine.mu
	done  chan *sessionwire.Buckets
}

var (
	errGive    = errors.New("tribes: session: peer did not take sessions")
	errTooMany = errors.New("tribes: session: more digests than there can be sessions")
)

// repair makes the sessions of a peer and of this node the same, as of now: both have
// afterwards what either had before.
func (e *Engine) repair(ctx context.Context, p *peer) error {
	mine := e.digestAll()
	theirs, lists, err := e.compare(ctx, p, mine)
	if err != nil {
		return err
	}
	var want, have []record.Key
	var over []sessionwire.End
	for b := range sessionwire.NumBuckets {
		if mine.sums[b] == theirs.Sums[b] {
			continue
		}
		w, h := diff(mine.lists[b], lists[uint8(b)])
		have = append(have, h...)
		for _, k := range w {
			if t, ended := e.tombs.get(k); ended {
				over = append(over, sessionwire.End{Key: k, End: t.end})
			} else {
				want = append(want, k)
			}
		}
	}
	e.n.repaired.Add(uint64(len(want) + len(over)))
	if len(over) > 0 {
		if err := p.send(ctx, &sessionwire.Ends{Sessions: over}); err != nil {
			return err
		}
	}
	if len(want) > 0 {
		if err := e.fetch(ctx, p, want); err != nil {
			return err
		}
	}
	limit := &sessionwire.StateRequest{Sessions: uint32(e.cfg.BlockSessions), Bytes: uint32(e.cfg.BlockBytes)}
	if len(have) > 0 && !e.blocks(ctx, p, limit, have) {
		return errGive
	}
	return nil
}

// compare asks a peer for the sessions in which it differs.
func (e *Engine) compare(ctx context.Context, p *peer, mine *digests) (*sessionwire.Buckets, map[uint8][]sessionwire.Digest, error) {
	id := e.requests.Add(1)
	c := &check{from: p, lists: make(map[uint8][]sessionwire.Digest), done: make(chan *sessionwire.Buckets, 1)}
	e.mu.Lock()
	e.checks[id] = c
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.checks, id)
		e.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Stall)
	defer cancel()
	if err := p.send(ctx, &sessionwire.Buckets{Request: id, Sessions: mine.n, Sums: mine.sums}); err != nil {
		return nil, nil, err
	}
	select {
	case theirs := <-c.done:
		e.mu.Lock()
		defer e.mu.Unlock()
		return theirs, c.lists, nil
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// diff returns the keys that the other side has and this one lacks or has otherwise, and
// the other way round. The lists are in order of keys.
func diff(mine, theirs []sessionwire.Digest) (want, have []record.Key) {
	for len(mine) > 0 || len(theirs) > 0 {
		c := 0
		switch {
		case len(theirs) == 0:
			c = -1
		case len(mine) == 0:
			c = 1
		default:
			c = mine[0].Key.Compare(theirs[0].Key)
		}
		switch {
		case c < 0:
			have = append(have, mine[0].Key)
			mine = mine[1:]
			continue
		case c > 0:
			want = append(want, theirs[0].Key)
			theirs = theirs[1:]
			continue
		case mine[0].Sum != theirs[0].Sum:
			want, have = append(want, theirs[0].Key), append(have, mine[0].Key)
		}
		mine, theirs = mine[1:], theirs[1:]
	}
	return want, have
}

// digests are the digests of all sessions, by bucket and in order of keys.
type digests struct {
	n     uint64
	sums  [sessionwire.NumBuckets]uint64
	lists [sessionwire.NumBuckets][]sessionwire.Digest
}

// digestAll returns the digests of what is here and lives.
func (e *Engine) digestAll() *digests {
	d, now := new(digests), e.Now()
	for _, k := range e.tab.Keys(record.Key{}) {
		h := e.tab.Get(k)
		if h == nil || h.Expired(now) {
			continue
		}
		h.Mu.RLock()
		sum, ok := h.Rec.Digest(), h.Whole == nil && !h.Gone()
		h.Mu.RUnlock()
		if !ok {
			continue
		}
		b := k[0]
		d.n++
		d.sums[b] += sum
		d.lists[b] = append(d.lists[b], sessionwire.Digest{Key: k, Sum: sum})
	}
	for _, l := range d.lists {
		slices.SortFunc(l, func(a, b sessionwire.Digest) int { return a.Key.Compare(b.Key) })
	}
	return d
}

// sums is told the sums of a peer: as a question, or as the end of the answer to ours.
func (e *Engine) sums(p *peer, m *sessionwire.Buckets) {
	if !m.Answer {
		e.answer(p, func(ctx context.Context) { e.answerSums(ctx, p, m) })
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.checks[m.Request]; c != nil && c.from == p {
		select {
		case c.done <- m:
		default:
		}
	}
}

// digests is told what a peer has in a bucket.
func (e *Engine) digests(p *peer, m *sessionwire.Digests) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.checks[m.Request]
	if c == nil || c.from != p {
		return nil
	}
	n := c.n + len(m.Sessions) - len(c.lists[m.Bucket])
	if limit := e.cfg.Sessions; limit >= 0 && n > 2*limit { // see table.Receive
		e.n.rejected.Add(1)
		return errTooMany
	}
	c.n, c.lists[m.Bucket] = n, m.Sessions
	return nil
}

// answerSums tells a peer what is here in the buckets that differ.
func (e *Engine) answerSums(ctx context.Context, p *peer, m *sessionwire.Buckets) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Stall)
	defer cancel()
	mine := e.digestAll()
	answer := &sessionwire.Buckets{Request: m.Request, Answer: true, Sessions: mine.n, Sums: mine.sums}
	err := e.sendLists(ctx, p, m, mine)
	if err == nil {
		err = p.send(ctx, answer)
	}
	if err != nil {
		e.cfg.Logger.Debug("sums not answered", "member", p.Member(), "err", err)
	}
}

// sendLists sends the lists of the buckets that differ; all are there when it returns.
func (e *Engine) sendLists(ctx context.Context, p *peer, m *sessionwire.Buckets, mine *digests) error {
	var waits []chan error
	for b := range sessionwire.NumBuckets {
		if mine.sums[b] == m.Sums[b] {
			continue
		}
		done := make(chan error, 1)
		body := sessionwire.Append(nil, &sessionwire.Digests{Request: m.Request, Bucket: uint8(b), Sessions: mine.lists[b]})
		if _, err := e.topic.Post(ctx, []*membership.Member{p.Member()}, body, message.Sync, func(_ message.ID, err error) { done <- err }); err != nil {
			return err
		}
		waits = append(waits, done)
	}
	for _, done := range waits {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
