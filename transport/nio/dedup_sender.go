package nio

import (
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/message"
)

// dupSender is what is remembered of the messages of one sender: a ring of
// records in the order in which deliveries began, and an index to find them by
// their hash, with open addressing.
type dupSender struct {
	used atomic.Int64 // when it was last asked
	cost atomic.Int64 // bytes it is charged with
	gone atomic.Bool  // it was forgotten; nothing is added any more

	mu          sync.Mutex
	ring        []dupRecord // a power of two
	first, next uint64      // numbers of the oldest record and of the one to come
	index       []uint32    // place in the ring plus one, 0 for none; twice as long
	extra       map[uint64]*dupExtra
}

// dupRecord is one message. It has no pointers, so that the garbage collector
// does not look at it.
type dupRecord struct {
	id    message.ID
	sum   uint64 // of the bytes and the id
	at    int64  // when its delivery began
	size  uint32
	state dupState
}

type dupState uint32

const (
	dupRunning dupState = iota // it is being delivered
	dupTaken
	dupRefused
)

// dupExtra is what few records have: somebody who waits for the end of the
// delivery, or the reason of a refusal.
type dupExtra struct {
	done    chan struct{} // nil if nobody waits
	verdict verdict       // to be read when done is closed
}

func newDupSender(now int64) *dupSender {
	s := &dupSender{ring: make([]dupRecord, dupFirst), index: make([]uint32, 2*dupFirst)}
	s.used.Store(now)
	s.cost.Store(dupSenderCost + dupFirst*dupCost)
	return s
}

// dupDelivery is a delivery that begin has noted, or one to wait for.
type dupDelivery struct {
	s       *dupSender
	number  uint64
	verdict verdict
	extra   *dupExtra // what to wait for; nil if verdict is it
}

// begin is dupMemory.begin for one sender; ok is false if it was forgotten.
func (s *dupSender) begin(d *dupMemory, rec dupRecord) (del dupDelivery, known, ok bool) {
	s.used.Store(rec.at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone.Load() {
		return dupDelivery{}, false, false
	}
	for s.first < s.next && rec.at-s.at(s.first).at > d.window {
		s.evict()
	}
	if n, found := s.find(&rec); found {
		return s.repeat(n), true, true
	}
	if s.next-s.first == uint64(len(s.ring)) && !s.grow(d, rec.at) {
		s.evict()
	}
	n := s.next
	s.next++
	*s.at(n) = rec
	s.enter(n)
	return dupDelivery{s: s, number: n}, false, true
}

// repeat is what a repeat of record n is told. Called with mu held.
func (s *dupSender) repeat(n uint64) dupDelivery {
	switch s.at(n).state {
	case dupTaken:
		return dupDelivery{}
	case dupRefused:
		return dupDelivery{verdict: s.extra[n].verdict}
	}
	x := s.extra[n]
	if x == nil {
		x = &dupExtra{done: make(chan struct{})}
		s.setExtra(n, x)
	}
	return dupDelivery{extra: x}
}

// wait returns what came of the first delivery when that has ended.
func (del *dupDelivery) wait() verdict {
	if del.extra == nil {
		return del.verdict
	}
	<-del.extra.done
	return del.extra.verdict
}

// end notes what came of a delivery.
func (del *dupDelivery) end(v verdict) {
	s, n := del.s, del.number
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extra[n]
	kept := n >= s.first
	if kept && v.refused {
		s.at(n).state = dupRefused
		if x == nil {
			x = new(dupExtra)
			s.setExtra(n, x)
		}
	} else {
		if kept {
			s.at(n).state = dupTaken
		}
		delete(s.extra, n)
	}
	if x == nil {
		return
	}
	x.verdict = v
	x.verdict.reason = v.reason[:min(len(v.reason), message.MaxReason)]
	if x.done != nil {
		close(x.done)
	}
}

func (s *dupSender) setExtra(n uint64, x *dupExtra) {
	if s.extra == nil {
		s.extra = make(map[uint64]*dupExtra)
	}
	s.extra[n] = x
}

// at is record number n.
func (s *dupSender) at(n uint64) *dupRecord { return &s.ring[n&uint64(len(s.ring)-1)] }

// home is where the index is searched first for a hash.
func (s *dupSender) home(sum uint64) uint64 { return sum & uint64(len(s.index)-1) }

// find returns the number of the record of the same message.
func (s *dupSender) find(rec *dupRecord) (uint64, bool) {
	mask := uint64(len(s.index) - 1)
	for i := s.home(rec.sum); s.index[i] != 0; i = (i + 1) & mask {
		place := uint64(s.index[i] - 1)
		if x := &s.ring[place]; x.sum == rec.sum && x.size == rec.size && x.id == rec.id {
			size := uint64(len(s.ring))
			return s.first + (place-s.first)&(size-1), true
		}
	}
	return 0, false
}

// enter puts record n into the index.
func (s *dupSender) enter(n uint64) {
	mask := uint64(len(s.index) - 1)
	i := s.home(s.at(n).sum)
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	s.index[i] = uint32(n&uint64(len(s.ring)-1)) + 1
}

// evict forgets the oldest record. Who waits for a delivery that still runs is
// told when it ends.
func (s *dupSender) evict() {
	n := s.first
	rec := s.at(n)
	mask := uint64(len(s.index) - 1)
	place := uint32(n&uint64(len(s.ring)-1)) + 1
	i := s.home(rec.sum)
	for s.index[i] != place {
		i = (i + 1) & mask
	}
	s.index[i] = 0
	s.closeGap(i)
	if rec.state == dupRefused {
		delete(s.extra, n)
	}
	s.first++
}

// closeGap moves entries of the index back to where a search would miss them.
func (s *dupSender) closeGap(gap uint64) {
	mask := uint64(len(s.index) - 1)
	for i := (gap + 1) & mask; s.index[i] != 0; i = (i + 1) & mask {
		home := s.home(s.ring[s.index[i]-1].sum)
		if (i-home)&mask >= (i-gap)&mask {
			s.index[gap], s.index[i] = s.index[i], 0
			gap = i
		}
	}
}

// grow doubles the ring, if the sender may have so much.
func (s *dupSender) grow(d *dupMemory, now int64) bool {
	old := s.ring
	most := max(dupGuard, d.limit/4/dupCost)
	if int64(2*len(old)) > most || !d.reserve(s, int64(len(old))*dupCost, now) {
		return false
	}
	ring := make([]dupRecord, 2*len(old))
	for n := s.first; n < s.next; n++ {
		ring[n&uint64(len(ring)-1)] = *s.at(n)
	}
	s.ring = ring
	s.index = make([]uint32, 2*len(ring))
	for n := s.first; n < s.next; n++ {
		s.enter(n)
	}
	return true
}
