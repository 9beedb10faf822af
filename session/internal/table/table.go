package table

import (
	"errors"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
)

// The errors of Add.
var (
	ErrClosed          = errors.New("tribes: session: manager is closed")
	ErrTooManySessions = errors.New("too many sessions")
	ErrTaken           = errors.New("tribes: session: id is taken")
)

// Config is how a [Table] is set up.
type Config struct {
	Max    int           // sessions; negative is no limit
	Every  time.Duration // the time between two sweeps
	Expire func(*Entry)  // is told of each entry that has expired, without a lock
	Keyed  bool          // entries are found by their key too
}

// Table finds sessions. While there are any, a timer sweeps out those that have expired.
// All methods can be called from any number of goroutines.
type Table struct {
	cfg    Config
	start  time.Time // its monotonic reading is where the clock begins
	n      atomic.Int64
	seed   maphash.Seed
	shards [64]shard

	mu sync.Mutex
	// The rest is guarded by mu.
	timer  *time.Timer // nil while there are no sessions
	closed bool
	sweeps sync.WaitGroup // the sweep that runs
}

// shard is a part of the index.
type shard struct {
	mu   sync.RWMutex
	ids  map[string]*Entry // by Random of the id; nil when closed
	keys map[record.Key]*Entry
}

// New returns an empty table.
func New(c Config) *Table {
	t := &Table{cfg: c, start: time.Now(), seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].ids = make(map[string]*Entry)
		t.shards[i].keys = make(map[record.Key]*Entry)
	}
	return t
}

// Random returns the part of an id that leads to its session: what is before the dot.
func Random(id string) string {
	random, _, _ := strings.Cut(id, ".")
	return random
}

// Now is the time by the clock of the table.
func (t *Table) Now() time.Duration { return time.Since(t.start) }

// Count returns how many sessions there are.
func (t *Table) Count() int { return int(max(t.n.Load(), 0)) }

func (t *Table) shard(random string) *shard {
	return &t.shards[maphash.String(t.seed, random)%uint64(len(t.shards))]
}

func (t *Table) keyShard(k record.Key) *shard { return &t.shards[k[0]%uint8(len(t.shards))] }

// Add makes a session of this node findable. It fails with ErrClosed, with a
// *record.LimitError of ErrTooManySessions, and with ErrTaken if the id leads to another
// one.
func (t *Table) Add(e *Entry) error {
	if n := t.n.Add(1); t.cfg.Max >= 0 && n > int64(t.cfg.Max) {
		t.n.Add(-1)
		return &record.LimitError{Err: ErrTooManySessions, Have: int(n), Max: t.cfg.Max}
	}
	if err := t.Name(e.ID(), e); err != nil {
		t.n.Add(-1)
		return err
	}
	if t.cfg.Keyed {
		sh := t.keyShard(e.Rec.Key())
		sh.mu.Lock()
		if sh.keys != nil {
			sh.keys[e.Rec.Key()] = e
		}
		sh.mu.Unlock()
	}
	t.arm()
	return nil
}

// Receive returns the entry of a key; if there is none it adds what makes. The bool says
// whether it did. Beyond twice Max it fails with ErrTooManySessions: what others have
// accepted at the same time is taken, a flood is not.
func (t *Table) Receive(k record.Key, makes func() *Entry) (*Entry, bool, error) {
	sh := t.keyShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch e := sh.keys[k]; {
	case sh.keys == nil:
		return nil, false, ErrClosed
	case e != nil:
		return e, false, nil
	}
	if n := t.n.Add(1); t.cfg.Max >= 0 && n > 2*int64(t.cfg.Max) {
		t.n.Add(-1)
		return nil, false, &record.LimitError{Err: ErrTooManySessions, Have: int(n), Max: 2 * t.cfg.Max}
	}
	e := makes()
	sh.keys[k] = e
	t.arm()
	return e, true, nil
}

// Name makes an id lead to e.
func (t *Table) Name(id string, e *Entry) error {
	random := Random(id)
	sh := t.shard(random)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch {
	case sh.ids == nil:
		return ErrClosed
	case sh.ids[random] == e:
		return nil
	case sh.ids[random] != nil:
		return ErrTaken
	}
	sh.ids[random] = e
	return nil
}

// Unname makes an id that leads to e lead nowhere.
func (t *Table) Unname(id string, e *Entry) {
	random := Random(id)
	sh := t.shard(random)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.ids[random] == e {
		delete(sh.ids, random)
	}
}

// Remove drops an entry that has, or had, these ids. The caller holds e.Mu; a second
// call does nothing.
func (t *Table) Remove(e *Entry, ids ...string) {
	if !e.Drop() {
		return
	}
	for _, id := range ids {
		t.Unname(id, e)
	}
	sh := t.keyShard(e.Rec.Key())
	sh.mu.Lock()
	if sh.keys[e.Rec.Key()] == e {
		delete(sh.keys, e.Rec.Key())
	}
	open := sh.ids != nil
	sh.mu.Unlock()
	if open {
		t.n.Add(-1)
	}
}

// Find returns the session that an id leads to, nil if there is none. It may have ended
// or expired meanwhile.
func (t *Table) Find(id string) *Entry {
	random := Random(id)
	sh := t.shard(random)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.ids[random]
}

// Get returns the session of a key, nil if there is none.
func (t *Table) Get(k record.Key) *Entry {
	sh := t.keyShard(k)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.keys[k]
}

// All goes through the sessions, each of them unless it comes or goes meanwhile: those
// with a key, also if no id leads to them. In a table without keys one that several ids
// lead to may come more than once.
func (t *Table) All() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		var some []*Entry
		for i := range t.shards {
			sh := &t.shards[i]
			some = some[:0]
			sh.mu.RLock()
			if t.cfg.Keyed {
				some = slices.AppendSeq(some, maps.Values(sh.keys))
			} else {
				some = slices.AppendSeq(some, maps.Values(sh.ids))
			}
			sh.mu.RUnlock()
			for _, e := range some {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// Keys returns the keys of all sessions from one on, in no order.
func (t *Table) Keys(from record.Key) []record.Key {
	keys := make([]record.Key, 0, t.Count())
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.RLock()
		for k := range sh.keys {
			if k.Compare(from) >= 0 {
				keys = append(keys, k)
			}
		}
		sh.mu.RUnlock()
	}
	return keys
}
