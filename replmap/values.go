package replmap

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// harvest gets values that others have.
type harvest struct {
	n    *native
	came func(key string) // is told of what has come; nil for what is only read

	mu  sync.Mutex
	got map[string]entry.Entry // those that are not kept here
}

func (n *native) newHarvest() *harvest {
	return &harvest{n: n, got: make(map[string]entry.Entry)}
}

// open reports whether the value of a key is still to be had.
func (h *harvest) open(key string) bool {
	e, there := h.n.table.Get(key)
	if !there || !e.Proxy {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	got, have := h.got[key]
	return !have || got.State() != e.State()
}

// result returns the state of a key, with the value if it is there. It fails if the key is
// open.
func (h *harvest) result(key string) (e entry.Entry, there, ok bool) {
	e, there = h.n.table.Get(key)
	if !there || !e.Proxy {
		return e, there, true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	got, have := h.got[key]
	return got, have, have && got.State() == e.State()
}

// collect asks, for each key, the members in the order of what they weigh for it, until one
// has the value. It returns the keys that stay open.
func (h *harvest) collect(ctx context.Context, keys []string) []string {
	var all roster
	for _, p := range h.n.peers.All() {
		if s, _ := p.Is(); s < peers.Silent {
			all.nodes, all.peers = append(all.nodes, p.Node), append(all.peers, p)
		}
	}
	for rank := 0; rank < len(all.peers) && len(keys) > 0 && ctx.Err() == nil; rank++ {
		of := make(map[*peer][]string)
		for _, key := range keys {
			p := all.peers[entry.Ranked(key, all.nodes)[rank]]
			of[p] = append(of[p], key)
		}
		var questions sync.WaitGroup
		for p, keys := range of {
			questions.Go(func() {
				if err := h.ask(ctx, p, keys); err != nil {
					h.n.log.Debug("values did not come", "member", p.Member(), "keys", len(keys), "err", err)
				}
			})
		}
		questions.Wait()
		left := keys[:0:0]
		for _, key := range keys {
			if h.open(key) {
				left = append(left, key)
			}
		}
		keys = left
	}
	return keys
}

// ask asks one peer.
func (h *harvest) ask(ctx context.Context, p *peer, keys []string) error {
	for len(keys) > 0 {
		k := min(len(keys), h.n.blockEntries)
		a, err := ask[*mapwire.Values](ctx, p, func(id uint64) mapwire.Message {
			return &mapwire.Ask{Request: id, Bytes: uint32(h.n.blockBytes), Keys: keys[:k]}
		})
		if err != nil {
			return err
		}
		if a.Keys == 0 || int(a.Keys) > k {
			return errNoProgress
		}
		for i := range a.Entries {
			e := &a.Entries[i]
			if err := h.n.take(p, e); err != nil {
				continue
			}
			if !e.Proxy && !e.Gone {
				h.note(e)
			}
			if h.came != nil && !h.open(e.Key) {
				h.came(e.Key)
			}
		}
		keys = keys[a.Keys:]
	}
	return nil
}

// note keeps a value for who has asked, if it is what the table stands for.
func (h *harvest) note(e *entry.Entry) {
	h.n.table.Digest(e)
	if mine, there := h.n.table.Get(e.Key); !there || !mine.Proxy || mine.State() != e.State() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got[e.Key] = *e
}

// take merges a state that this member has asked for. The value stays here if this member
// is to have it, or if it is not certain that others have it.
func (n *native) take(p *peer, e *entry.Entry) error {
	mine := *e
	if n.backups > 0 && !e.Gone && !e.Proxy && !n.holdsHere(e.Key) {
		n.table.Digest(&mine)
		if has, there := n.table.Get(e.Key); there && has.Proxy && has.State() == mine.State() {
			return nil // who has the value may not know yet that all have it, but this one does
		}
		if e.Placed {
			mine.Strip()
		}
	}
	err := n.merge(p, []entry.Entry{mine})
	if errors.Is(err, entry.ErrConflict) {
		return nil // it is seen to
	}
	return err
}

// provideValues answers an Ask.
func (n *native) provideValues(ctx context.Context, p *peer, m *mapwire.Ask) {
	room := max(1, min(int(m.Bytes), n.blockBytes))
	a := &mapwire.Values{Request: m.Request}
	for _, key := range m.Keys {
		if room <= 0 {
			break
		}
		room -= len(key)
		for _, e := range n.table.States([]string{key}) {
			a.Entries = append(a.Entries, e)
			room -= len(key) + len(e.Value)
		}
		a.Keys++
	}
	n.answer(ctx, p, a)
}

// fetch returns the state of a key with its value. While members do not answer or come and
// go it asks again, for the stall time.
func (n *native) fetch(ctx context.Context, key string) (e entry.Entry, there bool, err error) {
	elsewhere := !n.holdsHere(key)
	if e, there := n.here(key); there && elsewhere {
		return e, true, nil
	}
	n.n.fetched.Add(1)
	end := time.Now().Add(n.stall)
	for tries := 0; ; tries++ {
		changed, epoch := n.peers.Changed(), n.epoch.Load()
		h := n.newHarvest()
		h.collect(ctx, []string{key})
		if e, there, ok := h.result(key); ok {
			if there && elsewhere {
				n.recent.keep(e)
			}
			return e, there, nil
		}
		if ctx.Err() != nil {
			return e, false, context.Cause(ctx)
		}
		if time.Now().After(end) || tries > 0 && epoch == n.epoch.Load() && n.calm() {
			n.n.unreachable.Add(1)
			return e, false, ErrNoHolder
		}
		select {
		case <-changed:
		case <-time.After(askAgain << min(tries, 4)):
		case <-n.ctx.Done():
			return e, false, ErrClosed
		case <-ctx.Done():
			return e, false, context.Cause(ctx)
		}
	}
}

// calm reports whether all peers answer and have all entries.
func (n *native) calm() bool {
	for _, p := range n.peers.All() {
		if s, _ := p.Is(); s != peers.Current {
			return false
		}
	}
	return !n.peers.Awaited()
}

// gather implements replica.gather.
func (n *native) gather(ctx context.Context, keys []string) (all []entry.Entry) {
	n.n.fetched.Add(uint64(len(keys)))
	h := n.newHarvest()
	open := make(map[string]bool)
	for _, key := range h.collect(ctx, keys) {
		open[key] = true
	}
	for _, key := range keys {
		e, there, ok := h.result(key)
		if open[key] || !ok {
			var err error
			e, there, err = n.fetch(ctx, key)
			ok = err == nil
		}
		if ok && there {
			all = append(all, e)
		}
	}
	return all
}
