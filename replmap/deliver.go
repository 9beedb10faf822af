package replmap

import (
	"context"
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
	body  []byte
	has   map[*peer]bool // those that have the value
	once  sync.Once
	done  chan struct{} // closed when the write may return
	err   error         // that of the write; set before done
}

// deliver is publish for a value with backups.
func (n *native) deliver(ctx context.Context, e *entry.Entry) error {
	d := &delivery{
		n: n, state: e.State(), has: make(map[*peer]bool), done: make(chan struct{}),
		body: mapwire.Append(nil, &mapwire.Change{Entries: []entry.Entry{*e}}),
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
			if len(d.has) == 0 && n.wait != WaitNone {
				n.n.alone.Add(1)
			}
			if len(r.nodes) >= r.want { // else all have the value, and more are to
				d.placed(ctx, here, epoch)
			}
			d.finish(nil)
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
	f := peers.Tell(peers.Wait(min(d.n.wait, WaitOne)), d.body, to)
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
	acked, err := f.Outcome()
	if acked == len(to) {
		for _, p := range to {
			d.has[p] = true
		}
	}
	return err
}

// placed is called when all that are to have the value have it: then the others may know.
func (d *delivery) placed(ctx context.Context, here bool, epoch uint64) {
	n := d.n
	n.table.Place(d.state)
	if !here && !n.dropAt(epoch, d.state) {
		n.look(d.state.Key)
	}
	done := n.tell([]entry.State{d.state})
	if n.wait == WaitAll {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}

// tell gives all peers proxies of states that are placed, unless they are here no more. The
// channel is closed when all that count have them.
func (n *native) tell(states []entry.State) <-chan struct{} {
	var c mapwire.Change
	for _, s := range states {
		for _, e := range n.table.States([]string{s.Key}) {
			if e.State() == s && !e.Gone && e.Placed {
				e.Strip()
				c.Entries = append(c.Entries, e)
			}
		}
	}
	var to []*peer
	if len(c.Entries) > 0 {
		to = n.peers.All()
	}
	return peers.Tell(peers.All, mapwire.Append(nil, &c), to).Done()
}

// dropAt makes a proxy of a state whose value all have that are to, unless something has
// moved since the epoch in which that was found out. It reports whether nothing has.
func (n *native) dropAt(epoch uint64, s entry.State) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.epoch.Load() != epoch {
		return false
	}
	if n.table.Drop(s) {
		n.n.dropped.Add(1)
	}
	return true
}
