package replica

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

var errStalled = errors.New("tribes: session: state transfer stands still")

// load is an answer in blocks that this node waits for.
type load struct {
	from  *peer
	moved chan bool // has room for one: a block has come; true: the last
	// The rest is guarded by Engine.mu.
	next  uint32               // index of the next block
	last  record.Key           // of the last session that has come, with all before it
	early map[uint32]blockNote // blocks that have overtaken others
}

// blockNote is what is remembered of a block whose sessions were merged.
type blockNote struct {
	to   record.Key // the last of them
	last bool       // of the answer
}

// begin registers a request of ours.
func (e *Engine) begin(p *peer) (uint64, *load) {
	id, l := e.requests.Add(1), &load{from: p, moved: make(chan bool, 1)}
	e.mu.Lock()
	e.loads[id] = l
	e.mu.Unlock()
	return id, l
}

func (e *Engine) forgetLoad(id uint64) {
	e.mu.Lock()
	delete(e.loads, id)
	e.mu.Unlock()
}

// load gets all sessions from a peer. It begins where the last provider has ended.
func (e *Engine) load(ctx context.Context, p *peer) error {
	id, l := e.begin(p)
	defer e.forgetLoad(id)
	m := &sessionwire.StateRequest{Request: id, From: e.loaded, Sessions: uint32(e.cfg.BlockSessions), Bytes: uint32(e.cfg.BlockBytes)}
	err := e.receiveBlocks(ctx, l, m)
	e.mu.Lock()
	if l.last.Compare(e.loaded) > 0 {
		e.loaded = l.last
	}
	e.mu.Unlock()
	return err
}

// receiveBlocks sends a request and returns when the last block of the answer has come.
func (e *Engine) receiveBlocks(ctx context.Context, l *load, m sessionwire.Message) error {
	try, cancel := context.WithTimeout(ctx, e.cfg.Stall)
	err := l.from.send(try, m)
	cancel()
	if err != nil {
		return err
	}
	stall := time.NewTimer(e.cfg.Stall)
	defer stall.Stop()
	for {
		changed := e.peers.Changed()
		if !l.from.Answers() {
			return errStalled
		}
		select {
		case last := <-l.moved:
			if last {
				return nil
			}
			stall.Reset(e.cfg.Stall)
		case <-changed:
		case <-stall.C:
			return errStalled
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// block takes sessions from a peer: part of an answer, or given unasked.
func (e *Engine) block(p *peer, b *sessionwire.StateBlock) error {
	var refused error
	for i := range b.Sessions {
		if err := e.snapshot(p, &b.Sessions[i]); err != nil {
			refused = err // costs no other session of the block
		}
	}
	if b.Request == 0 {
		return refused // whoever gives a session wants to know that it was taken
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.loads[b.Request]; l != nil && l.from == p && b.Index-l.next < window {
		note := blockNote{last: b.Last}
		if n := len(b.Sessions); n > 0 {
			note.to = b.Sessions[n-1].Key
		}
		l.take(b.Index, note)
	}
	return nil
}

// take notes a block that is the next one, or one of the window behind it. The caller
// holds Engine.mu.
func (l *load) take(index uint32, note blockNote) {
	if index != l.next {
		if l.early == nil {
			l.early = make(map[uint32]blockNote)
		}
		l.early[index] = note
		return
	}
	moved, last := false, false
	for ok := true; ok && !last; note, ok = l.early[l.next] {
		delete(l.early, l.next)
		l.next++
		if note.to.Compare(l.last) > 0 {
			l.last, moved = note.to, true
		}
		last = note.last
	}
	if !moved && !last {
		return // a block that brings nothing is no progress
	}
	select {
	case <-l.moved:
	default:
	}
	l.moved <- last
}

// provide answers a request for all sessions.
func (e *Engine) provide(ctx context.Context, p *peer, m *sessionwire.StateRequest) {
	keys := e.tab.Keys(m.From)
	slices.SortFunc(keys, record.Key.Compare)
	limit := *m
	if limit.Sessions == 0 || uint64(limit.Sessions) > 10*uint64(e.cfg.BlockSessions) {
		limit.Sessions = uint32(e.cfg.BlockSessions)
	}
	if limit.Bytes == 0 || limit.Bytes > 16<<20 {
		limit.Bytes = uint32(e.cfg.BlockBytes)
	}
	// First what has ended, or another node could bring it back to one that was not there.
	for some := range slices.Chunk(e.tombs.all(), perBatch) {
		if err := e.tellEnds(ctx, p, some); err != nil {
			e.peers.Tell(slog.LevelWarn, "ends of sessions could not be given", p.Member(), "err", err)
			return
		}
	}
	e.blocks(ctx, p, &limit, keys)
}

func (e *Engine) tellEnds(ctx context.Context, p *peer, ends []sessionwire.End) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Stall)
	defer cancel()
	return p.send(ctx, &sessionwire.Ends{Sessions: ends})
}

// give sends some sessions to a peer: as the answer to a request, or unasked with
// request 0.
func (e *Engine) give(ctx context.Context, p *peer, request uint64, keys []record.Key) {
	m := &sessionwire.StateRequest{Request: request, Sessions: uint32(e.cfg.BlockSessions), Bytes: uint32(e.cfg.BlockBytes)}
	e.blocks(ctx, p, m, keys)
}

// blocks sends sessions in blocks, a few of which are on the way or being processed at a
// time, so that a slow peer is not flooded. It reports whether all were taken.
func (e *Engine) blocks(ctx context.Context, p *peer, limit *sessionwire.StateRequest, keys []record.Key) bool {
	s := newStream(ctx, p, limit.Request == 0)
	defer s.cancel()
	b := &sessionwire.StateBlock{Request: limit.Request}
	size := 0
	for i := 0; ; i++ {
		b.Last = i == len(keys)
		if b.Last || len(b.Sessions) >= int(limit.Sessions) || size >= int(limit.Bytes) {
			err := s.send(b)
			if err == nil && b.Last {
				err = s.flush()
			}
			if err != nil {
				e.peers.Tell(slog.LevelWarn, "sessions could not be given", p.Member(), "sent", i, "of", len(keys), "err", err)
				return false
			}
			if b.Last {
				return true
			}
			b.Index++
			b.Sessions, size = b.Sessions[:0], 0
		}
		if h := e.tab.Get(keys[i]); h != nil {
			h.Mu.RLock()
			if h.Whole == nil && !h.Gone() {
				b.Sessions = append(b.Sessions, *h.Rec.Snapshot(e.Now()))
				size += h.Rec.Size()
			}
			h.Mu.RUnlock()
		}
	}
}

// missing notes that something of a session is to be fetched from a node.
func (e *Engine) missing(k record.Key, node record.Node) {
	e.n.gaps.Add(1)
	e.mu.Lock()
	if len(e.gaps) >= 2*e.tab.Count()+perBatch { // of sessions that came and went
		maps.DeleteFunc(e.gaps, func(k record.Key, _ record.Node) bool { return e.tab.Get(k) == nil })
	}
	e.gaps[k] = node
	e.mu.Unlock()
	select {
	case e.gap <- struct{}{}:
	default:
	}
}

// fill fetches what is missing.
func (e *Engine) fill(ctx context.Context) {
	select {
	case <-e.ready: // until then the state transfer fills gaps by itself
	case <-ctx.Done():
		return
	}
	for {
		select {
		case <-e.gap:
		case <-ctx.Done():
			return
		}
		e.mu.Lock()
		gaps := e.gaps
		e.gaps = make(map[record.Key]record.Node)
		e.mu.Unlock()
		byNode := make(map[record.Node][]record.Key)
		for k, node := range gaps {
			byNode[node] = append(byNode[node], k)
		}
		for node, keys := range byNode {
			slices.SortFunc(keys, record.Key.Compare)
			e.fetchFrom(ctx, node, keys)
		}
	}
}

// fetchFrom fetches sessions from a node, or from another one if that fails. What nobody
// gives is used as it is, or dropped if not even its id is known.
func (e *Engine) fetchFrom(ctx context.Context, node record.Node, keys []record.Key) {
	if p := e.peers.Get(node.ID()); p != nil {
		keys = e.fetchSome(ctx, p, keys)
	}
	for _, p := range e.peers.All() {
		if p.node != node && p.Answers() && len(keys) > 0 {
			keys = e.fetchSome(ctx, p, keys)
		}
	}
	for _, k := range keys {
		h := e.tab.Get(k)
		if h == nil {
			continue
		}
		h.Mu.Lock()
		if h.Whole != nil && h.Rec.ID() == "" {
			e.tab.Remove(h)
		}
		h.Complete()
		h.Mu.Unlock()
	}
}

// fetchSome fetches sessions from a peer and returns those that it did not give.
func (e *Engine) fetchSome(ctx context.Context, p *peer, keys []record.Key) []record.Key {
	err := e.fetch(ctx, p, keys)
	switch {
	case errors.Is(err, errStalled):
		p.LeaveOut("no sessions in time") // it would hold up the next ones too
	case err != nil:
		e.cfg.Logger.Debug("sessions not fetched", "member", p.Member(), "err", err)
	}
	return slices.DeleteFunc(keys, func(k record.Key) bool {
		h := e.tab.Get(k)
		if h == nil {
			return true
		}
		h.Mu.RLock()
		defer h.Mu.RUnlock()
		return h.Whole == nil
	})
}

// ask gets what any peer has of a session that was last in use elsewhere: with One its last
// change may be at one of them alone. Those that do not answer within the budget are not
// waited for.
func (e *Engine) ask(ctx context.Context, k record.Key) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Budget)
	defer cancel()
	var asked sync.WaitGroup
	for _, p := range e.peers.All() {
		if stands, _ := p.Is(); stands != peers.Current {
			continue
		}
		asked.Go(func() { p.get(ctx, k) })
	}
	asked.Wait()
}

// fetch gets some sessions from a peer.
func (e *Engine) fetch(ctx context.Context, p *peer, keys []record.Key) error {
	for some := range slices.Chunk(keys, perBatch) {
		id, l := e.begin(p)
		err := e.receiveBlocks(ctx, l, &sessionwire.Fetch{Request: id, Keys: some})
		e.forgetLoad(id)
		if err != nil {
			return err
		}
	}
	return nil
}
