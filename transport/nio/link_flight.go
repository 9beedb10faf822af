package nio

import (
	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/message"
)

// flight is the acked frames of one connection that have no answer yet. Both
// ends number acked frames from 1 (docs/wire.md, Numbered acks).
type flight struct {
	slots []*frame // slots[head] has the number upTo+1; nil if it was answered
	head  int
	upTo  uint64 // every frame up to this number was answered
	sent  uint64 // the highest number that was given
	count int    // frames without answer
	bytes int
}

// spanFactor bounds, in windows, how far an unanswered frame may lie behind the
// last one sent, so that an end that answers all but one frame costs no memory.
const spanFactor = 4

func (w *flight) add(f *frame) {
	if w.head > 0 && len(w.slots) == cap(w.slots) {
		n := copy(w.slots, w.slots[w.head:])
		clear(w.slots[n:])
		w.slots = w.slots[:n]
		w.head = 0
	}
	w.slots = append(w.slots, f)
	w.sent++
	w.count++
	w.bytes += f.size
}

// take removes the frame with number n and returns it; it returns nil if that
// was answered before. n must be above upTo and not above sent.
func (w *flight) take(n uint64) *frame {
	slot := &w.slots[w.head+int(n-w.upTo)-1]
	f := *slot
	if f != nil {
		*slot = nil
		w.count--
		w.bytes -= f.size
	}
	return f
}

// advance takes the frame with the lowest number; all up to it are answered.
func (w *flight) advance() *frame {
	f := w.take(w.upTo + 1)
	w.upTo++
	w.head++
	if w.head == len(w.slots) {
		w.slots, w.head = w.slots[:0], 0
	}
	return f
}

// oldest returns the unanswered frame with the lowest number.
func (w *flight) oldest() *frame {
	for _, f := range w.slots[w.head:] {
		if f != nil {
			return f
		}
	}
	return nil
}

// span is how many numbers lie between the oldest unanswered and the last frame.
func (w *flight) span() int { return len(w.slots) - w.head }

// check reports whether the numbers of r are possible: they never go backward
// and never past what was sent.
func (w *flight) check(r *message.Reply) error {
	if r.UpTo < w.upTo || r.UpTo > w.sent {
		return &message.FormatError{Reason: wire.BadNumber}
	}
	for i := range r.Settled {
		if n := r.Settled[i].Number; n <= w.upTo || n > w.sent {
			return &message.FormatError{Reason: wire.BadNumber}
		}
	}
	return nil
}
