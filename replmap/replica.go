package replmap

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// replication keeps the table of a map the same as those of the other members. It is the
// seam between the map and what goes over the wire.
type replication interface {
	// start begins, and returns when the entries are here, or with the cause of ctx.
	start(ctx context.Context) error
	// ready reports whether the entries are here.
	ready() bool
	// publish tells the others of a write that the table has, and returns when that is as
	// safe as was asked for.
	publish(ctx context.Context, c *change) error
	// conditional writes where it is decided whether the condition holds. It returns what
	// is there then, nil for nothing.
	conditional(ctx context.Context, w *mapwire.Write) (now *entry.Entry, written bool, err error)
	// primary is the member that decides about a key; nil if there is none now.
	primary(key string) *membership.Member
	// members are the others that have the map, and which of them writes wait for.
	members() (all []*membership.Member, current int)
	// close says goodbye and waits for all that was begun.
	close()
}

// replica is a map without its types: the table, and who is told of what happens to it.
type replica struct {
	settings
	table *entry.Table
	n     counters
	// store is told of writes; nil if nobody is.
	store func(ctx context.Context, e *entry.Entry) error
	// fetch gets the state of an entry whose value is elsewhere, with the value; there is
	// false if it has gone meanwhile. It may return the cause of ctx, or ErrNoHolder.
	fetch func(ctx context.Context, key string) (e entry.Entry, there bool, err error)
	// gather is fetch for many; what cannot be fetched is not in the result.
	gather func(ctx context.Context, keys []string) []entry.Entry
	// keys are those of all entries; nil if they are in the table.
	keys func() []string
	// placed returns the members that are to have the value of a key.
	placed func(key string) []*membership.Member
	// lacking returns how many values are to be here and are not.
	lacking func() int
	// writing is held while a key is checked, stored and written here.
	writing *turns

	mu       sync.Mutex
	watchers []*watcher
}

// allKeys goes through the keys of all entries.
func (r *replica) allKeys() iter.Seq[string] {
	if r.keys != nil {
		return slices.Values(r.keys())
	}
	return func(yield func(string) bool) {
		for e := range r.table.All() {
			if !yield(e.Key) {
				return
			}
		}
	}
}

// write checks, stores and writes on this member.
func (r *replica) write(ctx context.Context, e *entry.Entry, condition func(entry.Entry, bool) bool) (c change, written bool, err error) {
	end, err := r.writing.take(ctx, e.Key)
	if err != nil {
		return c, false, err
	}
	defer end()
	if r.store != nil {
		now, there := r.table.Get(e.Key)
		if condition != nil && !condition(now, there) || e.Gone && !there {
			return change{now: now}, false, nil
		}
		if err := r.store(ctx, e); err != nil {
			return c, false, err
		}
	}
	c.now, c.before, written = r.table.Replace(*e, condition)
	return c, written, nil
}

// holds returns the condition of a conditional write. What was resolved has the version of one
// of two writes, so the value counts, too, where that may happen.
func (r *replica) holds(w *mapwire.Write) func(entry.Entry, bool) bool {
	return func(e entry.Entry, there bool) bool {
		switch w.Condition {
		case mapwire.IfAbsent:
			return !there
		case mapwire.IfVersion:
			return there && e.Version == w.Version && (!r.resolves || w.Has == nil || w.Has.Version != w.Version || w.Has.Sum == sumOf(&e))
		default:
			return there && bytes.Equal(e.Value, w.Value)
		}
	}
}

// sumOf is the hash of a value, also in a table that keeps none.
func sumOf(e *entry.Entry) uint64 {
	if e.Sum == 0 && !e.Proxy {
		return entry.ValueSum(e.Value)
	}
	return e.Sum
}

// sweep ends what has lived long enough, until ctx ends.
func (r *replica) sweep(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.table.Sweep()
		}
	}
}

// watched reports whether there are watchers, which keep values.
func (r *replica) watched() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.watchers) > 0
}

// changed tells the watchers. It is called under the lock of a bucket.
func (r *replica) changed(c entry.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watchers {
		w.put(c)
	}
}
