package interceptor

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/gotribes/tribes/message"
)

// track is what an Order knows of the count of one sender. It has no clock, no
// lock and no goroutine.
//
//	                 1, or up to 1024
//	(nothing yet) ────────────────────►  sure  ◄──────────────┐
//	      │                               │                   │ the expected number, or 1,
//	      │ beyond 1024      left, failed,│                   │ or gathered long enough
//	      │              counts elsewhere ▼                   │
//	      └───────────────────────────► unsure ───────────────┘
//
// When it is sure, early messages wait for the missing ones. When it is unsure,
// the expected number is a guess, and messages wait to be gathered.
type track struct {
	set    *orderSettings
	counts *orderCounts
	next   uint32 // the expected number
	first  uint32 // of this count, as far as is known; no more than memorySize before next
	late   uint32 // the last number that was late, if no message in order has come since; else 0
	begun  bool   // there was a message
	unsure bool
	left   bool // the sender left while some of early waited, and was not heard in order since
	seen   memory
	before memory // of the count before
	early  map[uint32]held
	due    time.Time // no later than the first of early is due; zero if there is none

	ready   heldQueue // to be delivered
	expired []held    // to be dropped
	gaps    int       // runs of numbers that were given up and not reported yet
}

// held is a message that waits or waited.
type held struct {
	m    *message.Message // owned if call is nil, else borrowed
	nr   uint32
	mark uint64
	due  time.Time
	size int64
	call *orderCall // who waits for its delivery
	old  bool       // it waited when the sender left: if that begins anew, it is of the count before
}

// fate is what becomes of a message.
type fate uint8

const (
	inOrder   fate = iota // deliver it; it is the expected one
	tooEarly              // it waits
	tooLate               // its number was given up
	repeated              // it was here before
	elsewhere             // the sender counts elsewhere
)

func newTrack(set *orderSettings, counts *orderCounts) track {
	return track{set: set, counts: counts, next: 1, first: 1}
}

// place decides about a message. What waited, and does not any more because of
// it, is in ready.
func (t *track) place(nr uint32, mark uint64) fate {
	f := t.judge(nr, mark)
	if f == elsewhere {
		t.recount(nr)
		f = tooEarly
		if nr == t.next {
			f = inOrder
		}
	}
	t.begun = true
	switch f {
	case inOrder:
		if t.trust(); nr == 1 {
			t.first = 1
		}
		t.next++
		t.late = 0
	case tooLate:
		t.late = nr
	}
	if t.next-t.first > memorySize {
		t.first = t.next - memorySize
	}
	if f == inOrder || f == tooLate && !t.set.drop {
		t.seen.add(nr, mark)
	}
	return f
}

func (t *track) judge(nr uint32, mark uint64) fate {
	if _, same := t.before.find(nr, mark); same {
		return repeated
	}
	if nr == t.next {
		return inOrder
	}
	known, same := t.seen.find(nr, mark)
	if h, waits := t.early[nr]; waits {
		known, same = true, h.mark == mark
	}
	ahead := int32(nr - t.next)
	switch {
	case same:
		return repeated
	case known: // a number is used for one message in each count
		return elsewhere
	case !t.begun && nr > memorySize:
		return elsewhere
	case ahead < 0 && ahead >= -memorySize && !t.anew(nr):
		return tooLate
	case ahead > 0 && ahead <= t.set.window:
		return tooEarly
	}
	return elsewhere
}

// anew reports whether a number below the expected one, which was not delivered, is one of
// another count: a count begins with 1, does not go back behind its beginning, and of those
// that were given up seldom two come late in a row.
func (t *track) anew(nr uint32) bool {
	return nr == 1 || nr-t.first >= t.next-t.first || t.late != 0 && nr == t.late+1
}

// recount begins anew with a sender that counts elsewhere, as nr tells.
func (t *track) recount(nr uint32) {
	if t.begun {
		t.counts.recounts.Add(1)
	}
	if _, clash := t.early[nr]; clash || !t.unsure {
		t.flush(nil)
	} else if t.left {
		t.unsure = false
		t.release(func(nr uint32) bool { return t.early[nr].old }, nil)
	}
	t.before, t.seen = t.seen, memory{}
	t.next, t.first, t.late, t.unsure, t.left = 1, 1, 0, true, false
}

// trust makes t sure: what is early waits for what is missing.
func (t *track) trust() {
	if !t.unsure {
		return
	}
	t.unsure, t.left = false, false
	for nr, h := range t.early {
		h.due, h.old = h.due.Add(t.set.expire-t.set.gather), false
		t.early[nr] = h
	}
}

// depart notes that the sender is gone, for now.
func (t *track) depart(now time.Time) {
	t.unsure, t.left = true, len(t.early) > 0
	end := now.Add(t.set.gather)
	for nr, h := range t.early {
		if h.old = true; h.due.After(end) {
			h.due = end
		}
		t.early[nr] = h
	}
	t.reckon()
}

// wait keeps an early message.
func (t *track) wait(h held, now time.Time) {
	h.due = now.Add(t.set.expire)
	if t.unsure {
		h.due = now.Add(t.set.gather)
	}
	if t.early == nil {
		t.early = make(map[uint32]held)
	}
	t.early[h.nr] = h
	if t.due.IsZero() || h.due.Before(t.due) {
		t.due = h.due
	}
}

// expire ends the wait of what is due, and of what is before that.
func (t *track) expire(now time.Time) {
	if t.due.IsZero() || now.Before(t.due) {
		return
	}
	over := func(h held) bool { return !now.Before(h.due) }
	var last uint32
	found := false
	for nr, h := range t.early {
		if over(h) && (!found || int32(nr-last) > 0) {
			last, found = nr, true
		}
	}
	if found {
		t.release(func(nr uint32) bool { return int32(nr-last) <= 0 }, over)
	}
	t.reckon()
}

// flush ends the wait of all; see release.
func (t *track) flush(over func(held) bool) {
	t.release(func(uint32) bool { return true }, over)
}

func always(held) bool { return true }

// release ends the wait of those that pick chooses, in the order of their
// numbers, and of what follows on them. With the setting to drop expired
// messages, those for which over returns true are dropped; a nil over drops
// none.
func (t *track) release(pick func(nr uint32) bool, over func(held) bool) {
	nrs := slices.Collect(maps.Keys(t.early))
	nrs = slices.DeleteFunc(nrs, func(nr uint32) bool { return !pick(nr) })
	if len(nrs) == 0 {
		return
	}
	slices.SortFunc(nrs, func(a, b uint32) int { return int(int32(a - b)) })
	if t.unsure {
		t.trust()
		t.next, t.first = nrs[0], nrs[0]
	}
	for _, nr := range nrs {
		t.skipTo(nr)
		h := t.early[nr]
		delete(t.early, nr)
		if t.set.drop && over != nil && over(h) {
			t.expired = append(t.expired, h)
			continue
		}
		t.emit(h)
	}
	t.follow()
}

// skipTo gives up the numbers before nr and expects the one behind it.
func (t *track) skipTo(nr uint32) {
	ahead := int32(nr - t.next)
	if ahead < 0 {
		return
	}
	if ahead > 0 {
		t.gaps++
		t.counts.gaps.Add(1)
		t.counts.missing.Add(uint64(ahead))
	}
	t.next = nr + 1
}

// follow ends the wait of what is next.
func (t *track) follow() {
	for len(t.early) > 0 {
		h, waits := t.early[t.next]
		if !waits {
			return
		}
		delete(t.early, t.next)
		t.next++
		t.emit(h)
	}
	t.due, t.early = time.Time{}, nil
}

func (t *track) emit(h held) {
	t.seen.add(h.nr, h.mark)
	t.ready.push(h)
}

// reckon finds out what is due first.
func (t *track) reckon() {
	t.due = time.Time{}
	for _, h := range t.early {
		if t.due.IsZero() || h.due.Before(t.due) {
			t.due = h.due
		}
	}
}

// heldQueue is a queue that gives large memory back when it is empty.
type heldQueue struct {
	all  []held
	head int // of all, the first that is not taken
}

func (q *heldQueue) len() int { return len(q.all) - q.head }

func (q *heldQueue) push(h held) { q.all = append(q.all, h) }

func (q *heldQueue) first() held { return q.all[q.head] }

func (q *heldQueue) pop() {
	q.all[q.head] = held{}
	q.head++
	if q.head < len(q.all) {
		return
	}
	q.all, q.head = q.all[:0], 0
	if cap(q.all) > memorySize {
		q.all = nil
	}
}

// memory knows which messages had the latest numbers.
type memory struct {
	slots []seen // a power of two; a number has one place
	used  int    // numbers noted since the slots were made
}

// seen is a number that was delivered.
type seen struct {
	nr   uint32
	set  bool
	mark uint64
}

// The size of a memory in numbers. It begins small, for the many senders that
// send little.
const (
	memorySize  = 1024
	memoryStart = 32
)

// find reports whether nr is known, and whether for the message with this mark.
func (y *memory) find(nr uint32, mark uint64) (known, same bool) {
	if len(y.slots) == 0 {
		return false, false
	}
	s := &y.slots[nr&uint32(len(y.slots)-1)]
	known = s.set && s.nr == nr
	return known, known && s.mark == mark
}

func (y *memory) add(nr uint32, mark uint64) {
	if y.used >= len(y.slots) && len(y.slots) < memorySize {
		y.grow()
	}
	y.used++
	y.slots[nr&uint32(len(y.slots)-1)] = seen{nr, true, mark}
}

func (y *memory) grow() {
	old := y.slots
	y.slots = make([]seen, max(2*len(old), memoryStart))
	for _, s := range old {
		if s.set {
			y.slots[s.nr&uint32(len(y.slots)-1)] = s
		}
	}
}

// markOf is what stands for a message id in a memory.
func markOf(id message.ID) uint64 {
	return binary.BigEndian.Uint64(id[:8]) ^ binary.BigEndian.Uint64(id[8:])
}
