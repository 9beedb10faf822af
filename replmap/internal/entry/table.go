package entry

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
)

// ErrVersion is the error of a state whose version nobody can have given.
var ErrVersion = errors.New("tribes: replmap: impossible version")

// ErrConflict is the error of a state that is to be resolved with the one that is there,
// when one of the two is a proxy: see [Table.Reconcile].
var ErrConflict = errors.New("tribes: replmap: values of both states are needed")

// ErrProxy is the error of a state without a value in a table that has all values.
var ErrProxy = errors.New("tribes: replmap: entry without its value")

// Change is what has happened to one key of a table.
type Change struct {
	Key      string
	Old, New []byte // nil if there was none, or is none
	Had, Has bool
	// OldProxy and NewProxy say that there was, or is, a value which is not here.
	OldProxy, NewProxy bool
	Expired            bool // its lifetime has ended
}

// Config is how a table is set up.
type Config struct {
	Resolve Resolver             // nil: the higher version stays
	Proxies bool                 // there may be entries whose values are elsewhere
	MinDiff int                  // bytes of a value for which differences are made
	Keep    time.Duration        // how long to remember what is gone
	Now     func() time.Duration // a clock that never goes back
	Watched func() bool          // whether Changed keeps values; nil if not. It must not call the table
	Changed func(Change)         // is told each change, in order for each key, under a lock: it must not call the table
}

// Table is what one replica knows of a map. It is safe for concurrent use.
type Table struct {
	cfg     Config
	node    membership.ID
	clock   atomic.Uint64 // the highest counter seen
	buckets [Buckets]bucket
}

type bucket struct {
	mu    sync.RWMutex
	items map[string]*item
	sum   uint64 // of the hashes of those that are not gone
	live  int
	here  int              // live ones whose values are here
	timed map[string]*item // those that end or are to be forgotten at a time
}

// item is an entry in a table. Its Lifetime is not used.
type item struct {
	Entry
	hash  uint64
	alone atomic.Bool // the memory of the value is known to nobody but the table, see share
	// until is when it ends, or is forgotten if it is gone; negative is never.
	until time.Duration
}

// NewTable returns an empty table, whose writes are those of node.
func NewTable(node membership.ID, c Config) *Table {
	t := &Table{cfg: c, node: node}
	for i := range t.buckets {
		t.buckets[i].items = make(map[string]*item)
		t.buckets[i].timed = make(map[string]*item)
	}
	return t
}

// Clock returns the highest counter that the replica has seen.
func (t *Table) Clock() uint64 { return t.clock.Load() }

func (t *Table) bucket(key string) *bucket { return &t.buckets[Bucket(key)] }

// Get returns the state of a key, and whether it is there: not gone, and its time not over.
func (t *Table) Get(key string) (Entry, bool) {
	b := t.bucket(key)
	b.mu.RLock()
	defer b.mu.RUnlock()
	it := b.items[key]
	if it == nil {
		return Entry{}, false
	}
	return t.entry(it), t.lives(it)
}

func (t *Table) lives(it *item) bool {
	return !it.Gone && (it.until < 0 || it.until > t.cfg.Now())
}

// entry is it with the lifetime that it has from now.
func (t *Table) entry(it *item) Entry {
	it.share()
	e := it.Entry
	e.Lifetime = t.left(it)
	return e
}

func (t *Table) left(it *item) time.Duration {
	if it.until < 0 || it.Gone {
		return Forever
	}
	return max(0, it.until-t.cfg.Now())
}

// Write gives a key a new state with a version of this replica if the condition holds for
// the present one, of which the second argument says whether it is there. A nil condition
// always holds. It returns the state that the key has then. A key that is not there and
// is to be gone stays as it is.
func (t *Table) Write(e Entry, condition func(Entry, bool) bool) (now Entry, written bool) {
	now, _, written = t.Replace(e, condition)
	return now, written
}

// Replace is Write that also returns the state which was there before.
func (t *Table) Replace(e Entry, condition func(Entry, bool) bool) (now, before Entry, written bool) {
	b := t.bucket(e.Key)
	b.mu.Lock()
	defer b.mu.Unlock()
	it := b.items[e.Key]
	there := it != nil && t.lives(it)
	if it != nil {
		before = t.entry(it)
	}
	if condition != nil && !condition(before, there) || e.Gone && !there {
		return before, before, false
	}
	e.Version = Version{Counter: t.clock.Add(1), Node: t.node}
	e.Marks, e.Proxy, e.Placed, e.Sum = nil, false, false, t.valueSum(&e)
	if t.cfg.Resolve != nil {
		e.Marks = join(before.Marks, []Version{e.Version})
	}
	t.set(b, it, &e, false)
	return e, before, true
}

// see notes a version: writes of this replica have higher ones.
func (t *Table) see(v Version) {
	for {
		c := t.clock.Load()
		if v.Counter <= c || t.clock.CompareAndSwap(c, v.Counter) {
			return
		}
	}
}

// Merge takes a state that another replica has. It reports whether that was news.
func (t *Table) Merge(e *Entry) (news bool, err error) {
	switch {
	case e.Version.IsZero() || e.Version.Counter > MaxCounter:
		return false, ErrVersion
	case e.Proxy && !t.cfg.Proxies:
		return false, ErrProxy
	case e.Diff != nil:
		return false, ErrBase
	case !e.Proxy:
		e.Sum = t.valueSum(e)
	}
	t.see(e.Version)
	b := t.bucket(e.Key)
	b.mu.Lock()
	defer b.mu.Unlock()
	it := b.items[e.Key]
	if it == nil {
		t.set(b, nil, e, false)
		return true, nil
	}
	if t.cfg.Proxies {
		if it.Compare(e) == 0 {
			it.Marks = join(it.Marks, e.Marks)
			t.fill(b, it, e)
			return false, nil
		}
		if (it.Proxy || e.Proxy) && t.cfg.Resolve != nil && Apart(&it.Entry, e) {
			return false, ErrConflict
		}
	}
	it.share()
	merged := Merge(&it.Entry, e, t.cfg.Resolve)
	if merged != e && merged != &it.Entry {
		merged.Sum = t.valueSum(merged)
	}
	if merged == &it.Entry || merged.Compare(&it.Entry) == 0 {
		it.Marks = merged.Marks
		return false, nil
	}
	t.set(b, it, merged, false)
	return true, nil
}

// set replaces it, which is nil for a new key. The caller holds b.mu.
func (t *Table) set(b *bucket, it *item, e *Entry, expired bool) {
	c := Change{Key: e.Key, New: e.Value, Has: !e.Gone, NewProxy: e.Proxy, Expired: expired}
	if it == nil {
		it = &item{}
		b.items[e.Key] = it
	} else if !it.Gone {
		c.Old, c.Had, c.OldProxy = it.Value, true, it.Proxy
		b.sum -= it.hash
		b.live--
		b.here -= one(!it.Proxy)
	}
	it.Entry, it.hash, it.until = *e, 0, -1
	it.alone.Store(false)
	switch {
	case e.Gone:
		it.Value, it.Proxy, it.Sum = nil, false, 0
		it.until = t.cfg.Now() + t.cfg.Keep
	case e.Lifetime >= 0:
		it.until = t.cfg.Now() + e.Lifetime
	}
	if !e.Gone {
		it.hash = it.sum(t.cfg.Proxies)
		b.sum += it.hash
		b.live++
		b.here += one(!it.Proxy)
	}
	if it.until >= 0 {
		b.timed[e.Key] = it
	} else {
		delete(b.timed, e.Key)
	}
	if t.cfg.Changed != nil && (c.Had || c.Has) {
		t.cfg.Changed(c)
	}
}

// Sweep ends what has lived long enough, and forgets what has been gone long enough.
func (t *Table) Sweep() {
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.Lock()
		now := t.cfg.Now()
		for key, it := range b.timed {
			switch {
			case it.until > now:
			case it.Gone:
				delete(b.timed, key)
				delete(b.items, key)
			default:
				e := it.Entry
				e.Value, e.Gone, e.Proxy, e.Sum = nil, true, false, 0
				t.set(b, it, &e, true)
			}
		}
		b.mu.Unlock()
	}
}

// Len returns how many keys are there.
func (t *Table) Len() int {
	n := 0
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.RLock()
		n += b.live
		b.mu.RUnlock()
	}
	return n
}

// All goes through what is there, without an order. No lock is held meanwhile: each entry
// is as it was at some moment of the walk.
func (t *Table) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i := range t.buckets {
			for _, e := range t.snapshot(i) {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// Replay hands out what is there bucket by bucket, while no change of the bucket happens:
// also what has lived long enough and no sweep has told of.
func (t *Table) Replay(f func(bucket int, all []Entry)) {
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.Lock()
		all := make([]Entry, 0, b.live)
		for _, it := range b.items {
			if !it.Gone {
				all = append(all, t.entry(it))
			}
		}
		f(i, all)
		b.mu.Unlock()
	}
}

func (t *Table) snapshot(bucket int) []Entry {
	b := &t.buckets[bucket]
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]Entry, 0, b.live)
	for _, it := range b.items {
		if t.lives(it) {
			all = append(all, t.entry(it))
		}
	}
	return all
}

// Place is where a walk through a table for a state transfer stands: it has had the buckets
// before Bucket, and of that the keys up to After. On every replica it means the same.
type Place struct {
	Bucket int
	After  string
	Begun  bool // After counts; the empty key is a key
}

// Block returns states from a place on, gone ones too, at most entries of them and one
// more than bytes have room for. It returns where to go on; the bucket is Buckets when
// there is nothing more. If as is not nil it may change a state, and says whether to
// return it; it must not call the table.
func (t *Table) Block(at Place, entries, bytes int, as func(*Entry) bool) ([]Entry, Place) {
	var all []Entry
	for ; at.Bucket < Buckets; at = (Place{Bucket: at.Bucket + 1}) {
		b := &t.buckets[at.Bucket]
		b.mu.RLock()
		var keys []string
		for key := range b.items {
			if !at.Begun || key > at.After {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			if len(all) >= entries || bytes <= 0 {
				b.mu.RUnlock()
				return all, at
			}
			e := t.entry(b.items[key])
			at.After, at.Begun = key, true
			if as != nil && !as(&e) {
				continue
			}
			all = append(all, e)
			bytes -= len(key) + len(e.Value)
		}
		b.mu.RUnlock()
	}
	return all, at
}

// States returns those of keys that are known, gone ones too.
func (t *Table) States(keys []string) []Entry {
	var all []Entry
	for _, key := range keys {
		b := t.bucket(key)
		b.mu.RLock()
		if it := b.items[key]; it != nil {
			all = append(all, t.entry(it))
		}
		b.mu.RUnlock()
	}
	return all
}
