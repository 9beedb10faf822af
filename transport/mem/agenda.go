package mem

import "time"

// agenda is a list of things to do at given times; those of one time are done
// in the order in which they were put. The zero agenda is empty.
type agenda[T any] struct {
	heap []item[T]
	seq  uint64
}

type item[T any] struct {
	at  time.Time
	seq uint64
	v   T
}

func (a *item[T]) before(b *item[T]) bool {
	if c := a.at.Compare(b.at); c != 0 {
		return c < 0
	}
	return a.seq < b.seq
}

func (a *agenda[T]) put(at time.Time, v T) {
	a.seq++
	a.heap = append(a.heap, item[T]{at, a.seq, v})
	for i := len(a.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a.heap[i].before(&a.heap[parent]) {
			break
		}
		a.heap[i], a.heap[parent] = a.heap[parent], a.heap[i]
		i = parent
	}
}

// next returns when the first thing is due.
func (a *agenda[T]) next() (at time.Time, ok bool) {
	if len(a.heap) == 0 {
		return time.Time{}, false
	}
	return a.heap[0].at, true
}

// take removes and returns the first thing if it is due.
func (a *agenda[T]) take(now time.Time) (v T, ok bool) {
	if len(a.heap) == 0 || a.heap[0].at.After(now) {
		return v, false
	}
	v = a.heap[0].v
	last := len(a.heap) - 1
	a.heap[0] = a.heap[last]
	a.heap[last] = item[T]{}
	a.heap = a.heap[:last]
	a.sink()
	return v, true
}

func (a *agenda[T]) sink() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(a.heap); child++ {
			if a.heap[child].before(&a.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		a.heap[i], a.heap[least] = a.heap[least], a.heap[i]
		i = least
	}
}

// queue is a first-in first-out queue that allocates nothing once it has grown
// to its usual length. The zero queue is empty.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int { return len(q.items) - q.head }

func (q *queue[T]) put(v T) {
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

// first returns the oldest item, which stays.
func (q *queue[T]) first() *T { return &q.items[q.head] }

func (q *queue[T]) take() T {
	var zero T
	v := q.items[q.head]
	q.items[q.head] = zero
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return v
}
