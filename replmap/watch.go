package replmap

import (
	"context"
	"slices"
	"sync"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// Event is what has happened to an entry since a watcher was last told of it.
type Event[K comparable, V any] struct {
	Kind EventKind
	Key  K
	Old  V // zero for Added
	New  V // zero for Removed and Expired
	// OldHere and NewHere say whether Old and New are values. With Config.Backups they are
	// zero too where the member does not have the value; Get fetches it.
	OldHere, NewHere bool
}

// EventKind says what an event is about.
type EventKind uint8

// The kinds of events.
const (
	Added EventKind = iota + 1
	Changed
	Removed // deleted, or merged away
	Expired // its lifetime has ended
)

// String returns added, changed, removed or expired.
func (k EventKind) String() string {
	if int(k) < len(eventText) {
		return eventText[k]
	}
	return "unknown"
}

var eventText = [...]string{"none", "added", "changed", "removed", "expired"}

// watcher has what one function is still to be told: for each key the difference between
// what it knows and what is. So it needs memory for each key at most once.
type watcher struct {
	tell func(entry.Change)
	only string // the key that it is about
	one  bool   // only counts

	mu      sync.Mutex
	seen    [entry.Buckets]bool // buckets whose entries it was told of
	pending map[string]*entry.Change
	order   []string      // of what is pending
	some    chan struct{} // has room for one: something is pending
	ended   bool
}

// put notes a change. The caller holds the lock of the key's bucket.
func (w *watcher) put(c entry.Change) {
	if w.one && c.Key != w.only {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.seen[entry.Bucket(c.Key)] || w.ended {
		return
	}
	w.note(c)
}

// note adds a change to what is pending. The caller holds w.mu.
func (w *watcher) note(c entry.Change) {
	if p := w.pending[c.Key]; p != nil {
		p.New, p.Has, p.NewProxy, p.Expired = c.New, c.Has, c.NewProxy, c.Expired
		return
	}
	w.pending[c.Key] = &c
	w.order = append(w.order, c.Key)
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// replay notes what a bucket has. The caller holds the bucket's lock.
func (w *watcher) replay(bucket int, all []entry.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	w.seen[bucket] = true
	for i := range all {
		if !w.one || all[i].Key == w.only {
			w.note(entry.Change{Key: all[i].Key, New: all[i].Value, Has: true, NewProxy: all[i].Proxy})
		}
	}
}

// take returns the next change that is still one.
func (w *watcher) take() (c entry.Change, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.order) > 0 && !w.ended {
		p := w.pending[w.order[0]]
		delete(w.pending, w.order[0])
		if w.order = w.order[1:]; len(w.order) == 0 {
			w.order = nil
		}
		if p.Had || p.Has {
			return *p, true
		}
	}
	return entry.Change{}, false
}

// run tells until ctx ends.
func (w *watcher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.some:
		}
		for c, ok := w.take(); ok && ctx.Err() == nil; c, ok = w.take() {
			w.tell(c)
		}
	}
}

// watch adds a watcher, which run serves. The caller keeps the map from being started.
func (r *replica) watch(w *watcher) {
	w.pending, w.some = make(map[string]*entry.Change), make(chan struct{}, 1)
	r.mu.Lock()
	r.watchers = append(slices.Clip(r.watchers), w)
	r.mu.Unlock()
	if r.table != nil {
		r.table.Replay(w.replay)
		return
	}
	for i := range w.seen {
		w.seen[i] = true // the map has not been started
	}
}

// unwatch ends it: what is pending is told no more.
func (r *replica) unwatch(w *watcher) {
	w.mu.Lock()
	w.ended, w.order, w.pending = true, nil, nil
	w.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = slices.DeleteFunc(slices.Clone(r.watchers), func(x *watcher) bool { return x == w })
}
