package nio

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
)

// dupMemory remembers which acked messages were delivered, and what came of it,
// so that one that is sent again, by whichever connection, is not delivered
// again. A message is known by its sender, its id, its length and a hash of its
// bytes: fragments of one message share an id.
//
// There is a table per sender, so connections of different senders meet only
// when a connection changes its sender. The memory is bounded in time and bytes;
// when bytes are short, senders that were silent longest are forgotten.
type dupMemory struct {
	window int64 // ns
	limit  int64 // bytes
	seed   maphash.Seed
	bytes  atomic.Int64
	shards [dupShards]dupShard
}

const (
	dupShards = 16

	// dupCost is what a record takes, with its two places in the index.
	dupCost = 48
	// dupSenderCost is what a sender takes beside its records.
	dupSenderCost = 512
	// dupFirst and dupGuard are the number of records of a new sender, and what
	// each sender is given before others may have more.
	dupFirst = 64
	dupGuard = 4096
	// dupQuiet is for how long a sender must have been silent, in nanoseconds, to
	// be forgotten in favour of one that needs more room.
	dupQuiet = int64(5 * time.Second)
	// dupSample is how many senders are looked at to find a silent one.
	dupSample = 8
)

type dupShard struct {
	mu      sync.Mutex
	senders map[membership.Key]*dupSender
}

// dupCache is the sender that a connection has seen last.
type dupCache struct {
	member *membership.Member
	sender *dupSender
}

// newDupMemory returns nil if nothing is to be remembered.
func newDupMemory(cfg DuplicateMemory) *dupMemory {
	if cfg.Window < 0 {
		return nil
	}
	d := &dupMemory{window: int64(cfg.Window), limit: int64(cfg.Bytes), seed: maphash.MakeSeed()}
	for i := range d.shards {
		d.shards[i].senders = make(map[membership.Key]*dupSender)
	}
	return d
}

// begin looks for a message and notes it if it is new. Then known is false, and
// the caller delivers it and calls end; else wait returns what came of the first
// delivery.
func (d *dupMemory) begin(cache *dupCache, e *rxEntry, now int64) (del dupDelivery, known bool) {
	rec := dupRecord{id: e.m.ID, size: uint32(e.m.Len()), at: now}
	rec.sum = d.sum(e)
	for {
		s := d.sender(cache, e.m.Source, now)
		if del, known, ok := s.begin(d, rec); ok {
			return del, known
		}
		cache.member = nil // it was forgotten at this moment
	}
}

// hashed is how much is hashed at each end of a message that is longer than both.
// Repeats of one message have the same bytes, and fragments of one have their
// numbers at the end.
const hashed = 32 << 10

func (d *dupMemory) sum(e *rxEntry) uint64 {
	p := e.m.Payload()
	var sum uint64
	if len(p) <= 2*hashed {
		sum = maphash.Bytes(d.seed, p)
	} else {
		sum = maphash.Bytes(d.seed, p[:hashed]) + bits.RotateLeft64(maphash.Bytes(d.seed, p[len(p)-hashed:]), 1)
	}
	if e.oddID {
		return sum ^ maphash.String(d.seed, e.m.WireID())
	}
	return sum ^ maphash.Bytes(d.seed, e.m.ID[:])
}

// sender returns the table of m.
func (d *dupMemory) sender(cache *dupCache, m *membership.Member, now int64) *dupSender {
	if cache.member == m {
		return cache.sender
	}
	key := m.Key()
	if cache.member != nil && cache.member.Key() == key {
		cache.member = m
		return cache.sender
	}
	sh := &d.shards[maphash.Comparable(d.seed, key)%dupShards]
	sh.mu.Lock()
	s := sh.senders[key]
	total := int64(0)
	if s == nil {
		s = newDupSender(now)
		sh.senders[key] = s
		total = d.bytes.Add(s.cost.Load())
	}
	sh.mu.Unlock()
	if total > d.limit {
		d.forgetOne(s, now, 0)
	}
	cache.member, cache.sender = m, s
	return s
}

// reserve takes n bytes for more records of s, if need be from a silent sender.
func (d *dupMemory) reserve(s *dupSender, n int64, now int64) bool {
	for d.bytes.Add(n) > d.limit {
		d.bytes.Add(-n)
		if !d.forgetOne(s, now, dupQuiet) {
			return false
		}
	}
	s.cost.Add(n)
	if s.gone.Load() { // forgotten meanwhile: take back what that did not see
		d.bytes.Add(-s.cost.Swap(0))
	}
	return true
}

// forgetOne forgets, of a few senders, the one that was silent longest, if it
// was for at least so long, and reports whether there was one.
func (d *dupMemory) forgetOne(keep *dupSender, now, silent int64) bool {
	from := maphash.Comparable(d.seed, now)
	for i := range uint64(dupShards) {
		if d.shards[(from+i)%dupShards].forgetOne(d, keep, now-silent) {
			return true
		}
	}
	return false
}

func (sh *dupShard) forgetOne(d *dupMemory, keep *dupSender, before int64) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var key membership.Key
	var oldest *dupSender
	seen := 0
	for k, s := range sh.senders { // in random order
		if used := s.used.Load(); s != keep && used <= before && (oldest == nil || used < oldest.used.Load()) {
			key, oldest = k, s
		}
		if seen++; seen == dupSample {
			break
		}
	}
	if oldest == nil {
		return false
	}
	delete(sh.senders, key)
	oldest.gone.Store(true)
	d.bytes.Add(-oldest.cost.Swap(0))
	return true
}
