package session

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
)

// local keeps sessions in the memory of this process. While there are sessions, a
// timer sweeps out those that have expired.
type local struct {
	site   *record.Site
	max    int // sessions; negative is no limit
	every  time.Duration
	expire func(*held) // ends a session if it has expired
	start  time.Time   // its monotonic reading is where the clock begins
	n      atomic.Int64
	seed   maphash.Seed
	shards [64]shard

	mu sync.Mutex
	// The rest is guarded by mu.
	timer  *time.Timer // nil while there are no sessions
	closed bool
	sweeps sync.WaitGroup // the sweep that runs
}

// shard is a part of the index; its lock is taken after that of a session and held for
// an access to the map only.
type shard struct {
	mu sync.RWMutex
	m  map[string]*held // by the random part of the id; nil when closed
}

func newLocal(c *Config, expire func(*held)) *local {
	l := &local{
		site: record.NewSite(membership.NewID(), c.Limits.record(), false),
		max:  c.Limits.Sessions, every: c.Sweep, expire: expire,
		start: time.Now(), seed: maphash.MakeSeed(),
	}
	for i := range l.shards {
		l.shards[i].m = make(map[string]*held)
	}
	return l
}

func (l *local) now() time.Duration { return time.Since(l.start) }
func (l *local) count() int         { return int(l.n.Load()) }

func (l *local) shard(random string) *shard {
	return &l.shards[maphash.String(l.seed, random)%uint64(len(l.shards))]
}

func (l *local) create() *held {
	var key record.Key
	rand.Read(key[:]) // never fails
	return &held{rec: record.New(l.site, key)}
}

func (l *local) add(h *held) error {
	if n := l.n.Add(1); l.max >= 0 && n > int64(l.max) {
		l.n.Add(-1)
		return &LimitError{Err: ErrTooManySessions, Have: int(n), Max: l.max}
	}
	if err := l.put(h.id().Random(), h); err != nil {
		l.n.Add(-1)
		return err
	}
	l.arm()
	return nil
}

func (l *local) put(random string, h *held) error {
	sh := l.shard(random)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch {
	case sh.m == nil:
		return ErrClosed
	case sh.m[random] != nil:
		return errTaken
	}
	sh.m[random] = h
	return nil
}

// remove drops an id if it leads to h.
func (l *local) remove(random string, h *held) bool {
	sh := l.shard(random)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.m[random] != h {
		return false
	}
	delete(sh.m, random)
	return true
}

func (l *local) find(_ context.Context, random string) (*held, error) {
	sh := l.shard(random)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.m[random], nil
}

func (l *local) all() iter.Seq[*held] {
	return func(yield func(*held) bool) {
		var some []*held
		for i := range l.shards {
			sh := &l.shards[i]
			some = some[:0]
			sh.mu.RLock()
			for _, h := range sh.m {
				some = append(some, h)
			}
			sh.mu.RUnlock()
			for _, h := range some {
				if !yield(h) {
					return
				}
			}
		}
	}
}

// wrote drops what a group would be told, so that it does not add up.
func (l *local) wrote(h *held) { h.rec.Take(l.now()) }

func (l *local) renamed(h *held, random string) {
	if l.remove(random, h) && l.put(ID(h.rec.ID()).Random(), h) != nil {
		l.n.Add(-1) // closed in between
	}
}

func (l *local) ended(h *held, id ID) {
	if l.remove(id.Random(), h) {
		l.n.Add(-1)
	}
}

func (l *local) commit(context.Context, *held) error { return nil }

// arm starts the timer if there is none.
func (l *local) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil && !l.closed {
		l.timer = time.AfterFunc(l.every, l.tick)
	}
}

// tick runs in a goroutine of the timer, which close waits for.
func (l *local) tick() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.sweeps.Add(1)
	l.mu.Unlock()
	defer l.sweeps.Done()

	l.sweep()

	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	if l.n.Load() > 0 && !l.closed {
		l.timer = time.AfterFunc(l.every, l.tick)
	}
}

func (l *local) sweep() {
	now := l.now()
	for i := range l.shards {
		sh := &l.shards[i]
		var expired []*held
		sh.mu.RLock()
		for _, h := range sh.m {
			if h.expired(now) {
				expired = append(expired, h)
			}
		}
		sh.mu.RUnlock()
		for _, h := range expired {
			l.expire(h)
		}
	}
}

func (l *local) close() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	l.sweeps.Wait()
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		l.n.Add(-int64(len(sh.m)))
		sh.m = nil
		sh.mu.Unlock()
	}
}
