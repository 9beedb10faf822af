package replmap

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// delivery is a write on its way to the members that are to have the value, and then to
// all others, as a proxy.
type delivery struct {
	n     *native
	state entry.State
	diff  func() []byte  // the write with a difference; nil if there is none
	whole func() []byte  // the write with the value
	has   map[*peer]bool // those that have the value
	once  sync.Once
	done  chan struct{} // closed when the write may return
	err   error         // that of the write; set before done
}

// deliver is publish for a value with backups.
func (n *native) deliver(ctx context.Context, c *change) error {
	e, mine := c.now, *c     // who has written goes on with c before all is delivered
	inPlace := e.Diff != nil // then its value is not at hand, and may be another one by now
	e.Diff = nil
	d := &delivery{
		n: n, state: e.State(), has: make(map[*peer]bool), done: make(chan struct{}),
		whole: func() []byte {
			if inPlace {
				return mapwire.Append(nil, &mapwire.Change{Entries: n.table.States([]string{e.Key})})
			}
			return body(e)
		},
		diff: sync.OnceValue(func() []byte {
			short := e
			if short.Diff = mine.difference(n.table); short.Diff == nil {
				return nil
			}
			return body(short)
		}),
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return ErrClosed
	}
	n.spawn(d.run)
	n.mu.Unlock()
	if n.wait == WaitNone {
		return nil
	}
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// body is a change of one state.
func body(e entry.Entry) []byte {
	size := len(e.Key) + len(e.Value) + 128 + 20*len(e.Marks)
	if e.Diff != nil {
		size += len(e.Diff.Steps) - len(e.Value)
	}
	return mapwire.Append(make([]byte, 0, size), &mapwire.Change{Entries: []entry.Entry{e}})
}

func (d *delivery) finish(err error) {
	d.once.Do(func() {
		d.err = err
		close(d.done)
	})
}

// run gives the value to all that are to have it, also to those that are while it does,
// then tells all of it. A member that refuses the write ends that: then what is here is
// looked after as if this member had been given it.
func (d *delivery) run(ctx context.Context) {
	n, end := d.n, time.Now().Add(d.n.stall)
	for {
		epoch, r := n.epoch.Load(), n.roster()
		holders, here := r.split(d.state.Key)
		lacking := d.lacking(holders)
		if len(lacking) == 0 {
			var err error
			if len(d.has) == 0 {
				err = n.alone()
			}
			if len(r.nodes) >= r.want { // else all have the value, and more are to
				d.placed(ctx, holders, here, epoch)
			}
			d.finish(err)
			return
		}
		err := d.give(ctx, lacking)
		if conflicting(err) {
			if !n.table.Holds(d.state) {
				err = nil // it is part of another state by now
			} else if n.again(ctx, end) {
				continue
			}
		} else if err == nil {
			continue
		}
		d.finish(unresolved(err))
		n.look(d.state.Key)
		return
	}
}

func (d *delivery) lacking(holders []*peer) (all []*peer) {
	for _, p := range holders {
		if !d.has[p] {
			all = append(all, p)
		}
	}
	return all
}

// give sends the value to peers and waits until each has it or does not count any more.
func (d *delivery) give(ctx context.Context, to []*peer) error {
	f := peers.TellEach(peers.Wait(min(d.n.wait, WaitOne)), to, d.content)
	select {
	case <-f.Done():
	case <-ctx.Done():
		return ErrClosed
	}
	if acked, _ := f.Outcome(); acked > 0 && d.n.wait == WaitOne {
		d.finish(nil)
	}
	select {
	case <-f.All():
	case <-ctx.Done():
		return ErrClosed
	}
	if acked, _ := f.Outcome(); acked == len(to) {
		for _, p := range to {
			d.has[p] = true
		}
	}
	return f.Refused()
}

// content is what a peer is sent: a difference if it may have what that is one to, for then it
// has been given that before this.
func (d *delivery) content(p *peer) peers.Content {
	if p.newer() {
		if b := d.diff(); b != nil {
			d.n.n.differences.Add(1)
			return peers.Content{Body: b, Whole: d.whole}
		}
	}
	return peers.Content{Body: d.whole()}
}

// placed is called when all that are to have the value have it: then the others may know.
// Those that have it need not be told at once, they would ask.
func (d *delivery) placed(ctx context.Context, holders []*peer, here bool, epoch uint64) {
	n := d.n
	n.table.Place(d.state)
	if !here && !n.dropAt(epoch, d.state) {
		n.look(d.state.Key)
	}
	var others []*peer
	for _, p := range n.peers.All() {
		if !slices.Contains(holders, p) {
			others = append(others, p)
		}
	}
	done := n.tell([]entry.State{d.state}, others)
	n.tellLater(d.state)
	if n.wait == WaitAll {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}

// tell gives peers proxies of states that are placed, unless they are here no more. The
// channel is closed when all that count have them.
func (n *native) tell(states []entry.State, to []*peer) <-chan struct{} {
	var c mapwire.Change
	if len(to) == 0 {
		states = nil
	}
	for _, s := range states {
		if e, _ := n.table.Peek(s.Key); e.State() == s && !e.Gone && e.Placed {
			e.Strip()
			c.Entries = append(c.Entries, e)
		}
	}
	if len(c.Entries) == 0 {
		to = nil
	}
	return peers.Tell(peers.All, mapwire.Append(nil, &c), to).Done()
}

// notices are states whose values are where they are to be, of which those members are to be
// told, the last of each key.
type notices struct {
	mu     sync.Mutex
	states map[string]entry.State
}

func (x *notices) take() (all []entry.State) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.states {
		all = append(all, s)
	}
	x.states = nil
	return all
}

// tellLater tells the members that have the value of a state that all have it that are to,
// together with other states. The caller is run by spawn.
func (n *native) tellLater(s entry.State) {
	n.notices.mu.Lock()
	first := n.notices.states == nil
	if first {
		n.notices.states = make(map[string]entry.State)
	}
	n.notices.states[s.Key] = s
	n.notices.mu.Unlock()
	if !first {
		return
	}
	n.spawn(func(ctx context.Context) {
		select {
		case <-time.After(n.budget / 20): // well before they ask, see look
		case <-ctx.Done():
			return
		}
		r, of := n.roster(), make(map[*peer][]entry.State)
		for _, s := range n.notices.take() {
			others, _ := r.split(s.Key)
			for _, p := range others {
				of[p] = append(of[p], s)
			}
		}
		for _, p := range r.peers { // not in the order of the map, which no simulation repeats
			for part := range slices.Chunk(of[p], n.blockEntries) {
				n.tell(part, []*peer{p})
			}
		}
	})
}

// dropAt makes a proxy of a state whose value all have that are to, unless something has
// moved since the epoch in which that was found out. It reports whether nothing has.
func (n *native) dropAt(epoch uint64, s entry.State) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.epoch.Load() != epoch {
		return false
	}
	if n.leaving.Load() {
		return true // it may be the primary until it says goodbye
	}
	if n.table.Drop(s) {
		n.n.dropped.Add(1)
	}
	return true
}
