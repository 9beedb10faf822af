package nio

import (
	"math/bits"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// MemberStats is what a [Sender] has counted for one member since the first
// message to it, and how it stands now.
type MemberStats struct {
	Member *membership.Member
	// Secure says that these are the connections over TLS to the member. Those in
	// the clear have counts of their own.
	Secure bool
	// Acks says how the member answers: unknown, numbered or plain.
	Acks string
	// Caps are the extensions that the member has told of.
	Caps message.Caps
	// Links is how many connections there are, those being made included.
	Links int
	// QueuedMessages and QueuedBytes wait to be written.
	QueuedMessages, QueuedBytes int
	// InFlight messages were written and wait for their answer.
	InFlight int
	// Sent and SentBytes count frames that were written completely, repeats
	// included; Retried counts the repeats.
	Sent, SentBytes, Retried uint64
	// Refused counts messages that the listener of the member refused, Failed all
	// others without success.
	Refused, Failed uint64
	// WrongAnswers counts connections that were closed because of what came as an
	// answer, by reason.
	WrongAnswers map[string]uint64
	// LastError is why the last connection ended that did not end in order.
	LastError error
	// AckWait is the time from the end of writing to the answer.
	AckWait WaitStats
}

// WaitStats is a distribution of times.
type WaitStats struct {
	Count          uint64
	Min, Mean, Max time.Duration
	// Buckets counts times by their order of magnitude: Buckets[i] has those below
	// 2^i microseconds that are not in a lower one; the last has all the rest.
	Buckets [WaitBuckets]uint64
}

// WaitBuckets is the number of buckets in [WaitStats].
const WaitBuckets = 24

// peerStats is guarded by the peer's mu.
type peerStats struct {
	sent, sentBytes, retried uint64
	refused, failed          uint64
	wrong                    [wire.NumReasons]uint64
	complained               [wire.NumReasons]int64 // when the last log line was written
	lastErr                  error
	wait                     WaitStats
	waitSum                  int64
}

func (s *peerStats) wrote(f *frame) {
	s.sent++
	s.sentBytes += uint64(f.size)
}

func (s *peerStats) outcome(o message.Outcome) {
	switch {
	case o == message.Refused:
		s.refused++
	case !o.OK():
		s.failed++
	}
}

// waited counts the wait of f for its answer, which came now.
func (s *peerStats) waited(f *frame, now int64) {
	took := int64(0)
	if f.written != 0 {
		took = max(now-f.written, 0)
	}
	w := &s.wait
	if w.Count == 0 || time.Duration(took) < w.Min {
		w.Min = time.Duration(took)
	}
	w.Max = max(w.Max, time.Duration(took))
	w.Count++
	s.waitSum += took
	w.Buckets[min(bits.Len64(uint64(took)/uint64(time.Microsecond)), WaitBuckets-1)]++
}

// Stats returns the counters for each member that the sender keeps something for.
func (s *Sender) Stats() []MemberStats {
	var all []MemberStats
	for _, p := range s.known() {
		all = append(all, p.snapshot())
	}
	return all
}

func (p *peer) snapshot() MemberStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := &p.stats
	m := MemberStats{
		Member: p.member, Secure: p.secure != 0, Acks: p.kind.String(), Caps: p.caps, Links: len(p.links),
		QueuedMessages: p.queue.len, QueuedBytes: p.queue.bytes,
		Sent: st.sent, SentBytes: st.sentBytes, Retried: st.retried,
		Refused: st.refused, Failed: st.failed, LastError: st.lastErr, AckWait: st.wait,
	}
	for _, l := range p.links {
		m.InFlight += l.flight.count
	}
	if m.AckWait.Count > 0 {
		m.AckWait.Mean = time.Duration(st.waitSum / int64(m.AckWait.Count))
	}
	for r, n := range st.wrong {
		if n > 0 {
			if m.WrongAnswers == nil {
				m.WrongAnswers = make(map[string]uint64)
			}
			m.WrongAnswers[wire.Reason(r).String()] = n
		}
	}
	return m
}
