package nio

import (
	"slices"

	"github.com/gotribes/tribes/message"
)

// ackQueue decides which answers a connection is owed and in which order
// (docs/wire.md, Acks and Numbered acks). Frames that ask for an answer are
// numbered from 1 as they arrive. Plain acks leave in frame order; numbered
// ones cover all up to the first frame that is not done, and name those that are
// done beyond it.
//
// It has no locks and does no I/O. The zero ackQueue is ready.
type ackQueue struct {
	caps    message.Caps // what numbered acks say about this member
	base    uint64       // how many frames came before those in recs
	recs    []ackRecord
	head    int  // recs before it were answered in order
	scanned int  // recs from head up to it were looked at for single answers
	fresh   bool // something was done since the last append

	reasons []message.Settled // refusals that were not answered yet
	single  []message.Settled // scratch
}

// ackRecord is what is known of one frame.
type ackRecord uint8

const (
	ackPlain    ackRecord = 1 << iota // it is answered by a plain ack
	ackDone                           // it is to be answered now
	ackRefused                        // with a refusal
	ackAnswered                       // it was named in a numbered ack
)

// push notes the next frame and returns its number.
func (q *ackQueue) push(r ackRecord) uint64 {
	q.recs = append(q.recs, r)
	q.fresh = q.fresh || r&ackDone != 0
	return q.base + uint64(len(q.recs))
}

// settle notes that frame number n is done. A refusal has a reason.
func (q *ackQueue) settle(n uint64, refused bool, reason string) {
	i := int(n - q.base - 1)
	q.recs[i] |= ackDone
	if refused {
		q.recs[i] |= ackRefused
		q.reasons = append(q.reasons, message.Settled{Number: n, Outcome: message.Refused, Reason: reason})
	}
	q.scanned = min(q.scanned, i)
	q.fresh = true
}

// answered reports whether the answer to frame number n has been appended.
func (q *ackQueue) answered(n uint64) bool {
	i := int(n - q.base - 1)
	return n <= q.base || i < q.head || q.recs[i]&ackAnswered != 0
}

// append appends the answers that can be given now.
func (q *ackQueue) append(b []byte) []byte {
	if !q.fresh {
		return b
	}
	q.fresh = false
	q.single = q.single[:0]
	b = q.appendInOrder(b)
	b = q.appendSingles(b)
	q.compact()
	return b
}

// appendInOrder answers the frames at the head that are done.
func (q *ackQueue) appendInOrder(b []byte) []byte {
	owed := false // a numbered ack up to head
	for ; q.head < len(q.recs) && q.recs[q.head]&ackDone != 0; q.head++ {
		r, n := q.recs[q.head], q.base+uint64(q.head)+1
		if r&ackPlain == 0 {
			owed = owed || r&ackAnswered == 0
			if r&(ackRefused|ackAnswered) == ackRefused {
				q.single = append(q.single, q.refusal(n))
			}
			if len(q.single) == message.MaxSettled {
				b, owed = q.appendNumbered(b, n), false
			}
			continue
		}
		if owed {
			b, owed = q.appendNumbered(b, n-1), false
		}
		if r&ackRefused == 0 {
			b = append(b, message.AckFrame...)
			continue
		}
		q.refusal(n) // a plain refusal has no room for the reason
		b = append(b, message.FailAckFrame...)
	}
	if owed {
		b = q.appendNumbered(b, q.upTo())
	}
	return b
}

// appendSingles names the numbered frames that are done behind one that is not.
func (q *ackQueue) appendSingles(b []byte) []byte {
	for i := max(q.scanned, q.head); i < len(q.recs); i++ {
		if q.recs[i]&(ackPlain|ackDone|ackAnswered) != ackDone {
			continue
		}
		q.recs[i] |= ackAnswered
		s := message.Settled{Number: q.base + uint64(i) + 1, Outcome: message.Acknowledged}
		if q.recs[i]&ackRefused != 0 {
			s = q.refusal(s.Number)
		}
		q.single = append(q.single, s)
		if len(q.single) == message.MaxSettled {
			b = q.appendNumbered(b, q.upTo())
		}
	}
	q.scanned = len(q.recs)
	if len(q.single) > 0 {
		b = q.appendNumbered(b, q.upTo())
	}
	return b
}

// upTo is the number up to which every frame is done.
func (q *ackQueue) upTo() uint64 { return q.base + uint64(q.head) }

func (q *ackQueue) appendNumbered(b []byte, upTo uint64) []byte {
	b = message.AppendNumberedAck(b, q.caps, upTo, q.single)
	clear(q.single)
	q.single = q.single[:0]
	return b
}

// refusal takes the refusal of frame number n out of those not answered yet.
// Deliveries end in frame order, so it is nearly always the first.
func (q *ackQueue) refusal(n uint64) message.Settled {
	for i, s := range q.reasons {
		if s.Number == n {
			q.reasons = slices.Delete(q.reasons, i, i+1)
			return s
		}
	}
	return message.Settled{Number: n, Outcome: message.Refused}
}

// ackRecords is how many records a connection keeps memory for while it owes
// nothing.
const ackRecords = 4096

// compact forgets what is answered.
func (q *ackQueue) compact() {
	switch {
	case q.head == len(q.recs):
		q.base += uint64(q.head)
		q.head, q.scanned = 0, 0
		if q.recs = q.recs[:0]; cap(q.recs) > ackRecords {
			q.recs = nil
		}
	case q.head >= ackRecords && q.head > len(q.recs)/2:
		n := copy(q.recs, q.recs[q.head:])
		q.base += uint64(q.head)
		q.recs = q.recs[:n]
		q.scanned -= q.head
		q.head = 0
	}
}
