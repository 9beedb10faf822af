package nio

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gotribes/tribes/message"
)

// ackStep is one thing that happens to an ackQueue.
type ackStep struct {
	push   []ackRecord
	settle uint64
	reason string // with settle: a refusal
	flush  string // what append gives; "none" for nothing
}

// The ways in which a frame is to be answered.
const (
	plainNow   = ackPlain | ackDone
	plainSync  = ackPlain
	numberNow  = ackDone
	numberSync = ackRecord(0)
	none       = "none" // as what append gives
)

var ackQueueTests = []struct {
	name  string
	steps []ackStep
}{
	{"nothing", []ackStep{{flush: none}}},
	{"plain on arrival", []ackStep{{push: []ackRecord{plainNow, plainNow}, flush: ackPlainOK + ackPlainOK}, {flush: none}}},
	{"plain sync", []ackStep{
		{push: []ackRecord{plainSync}, flush: none},
		{settle: 1, flush: ackPlainOK},
	}},
	{"plain refusal", []ackStep{
		{push: []ackRecord{plainSync, plainSync}},
		{settle: 1, reason: "x"},
		{settle: 2, flush: ackPlainBad + ackPlainOK},
	}},
	{"plain never overtakes", []ackStep{
		{push: []ackRecord{plainSync, plainNow, plainNow}, flush: none},
		{settle: 1, flush: ackPlainOK + ackPlainOK + ackPlainOK},
	}},
	{"numbered is cumulative", []ackStep{
		{push: []ackRecord{numberNow, numberNow, numberNow}, flush: numberedAck(3)},
		{push: []ackRecord{numberSync, numberSync}, flush: none},
		{settle: 4, flush: numberedAck(4)},
		{settle: 5, flush: numberedAck(5)},
	}},
	{"numbered refusals are named", []ackStep{
		{push: []ackRecord{numberSync, numberSync, numberSync}},
		{settle: 1},
		{settle: 2, reason: "no"},
		{settle: 3, flush: numberedAck(3, refusalOf(2, "no"))},
	}},
	{"numbered on arrival overtakes", []ackStep{
		{push: []ackRecord{numberSync, numberNow, numberNow}, flush: numberedAck(0, ackOf(2), ackOf(3))},
		{push: []ackRecord{numberNow}, flush: numberedAck(0, ackOf(4))},
		{settle: 1, flush: numberedAck(4)},
	}},
	{"refusal beyond the first", []ackStep{
		{push: []ackRecord{numberSync, numberSync}},
		{settle: 2, reason: "no", flush: numberedAck(0, refusalOf(2, "no"))},
		{settle: 1, flush: numberedAck(2)},
	}},
	{"plain behind numbered", []ackStep{
		{push: []ackRecord{numberSync, plainNow, numberNow}, flush: numberedAck(0, ackOf(3))},
		{settle: 1, flush: numberedAck(1) + ackPlainOK},
	}},
	{"numbered behind plain", []ackStep{
		{push: []ackRecord{plainSync, numberNow}, flush: numberedAck(0, ackOf(2))},
		{settle: 1, flush: ackPlainOK},
		{push: []ackRecord{numberNow}, flush: numberedAck(3)},
	}},
	{"mixed and done", []ackStep{
		{push: []ackRecord{numberNow, plainNow, numberNow}, flush: numberedAck(1) + ackPlainOK + numberedAck(3)},
	}},
}

func TestAckQueue(t *testing.T) {
	for _, tt := range ackQueueTests {
		t.Run(tt.name, func(t *testing.T) {
			var q ackQueue
			for i, s := range tt.steps {
				for _, r := range s.push {
					q.push(r)
				}
				if s.settle != 0 {
					q.settle(s.settle, s.reason != "", s.reason)
				}
				if s.flush == "" {
					continue
				}
				want := s.flush
				if want == none {
					want = ""
				}
				if got := string(q.append(nil)); got != want {
					t.Fatalf("step %d: append() = %q, want %q", i, got, want)
				}
			}
		})
	}
}

func TestAckQueueSplitsLargeAcks(t *testing.T) {
	var q ackQueue
	q.push(0)
	const n = message.MaxSettled + 10
	for range n {
		q.push(ackDone)
	}
	b := q.append(nil)
	var r message.Reply
	named := 0
	for len(b) > 0 {
		data, size, err := message.Scan(b, 0)
		if err != nil || data == nil {
			t.Fatalf("Scan(append()) = %v, %v", data, err)
		}
		if err := message.ParseReply(data, &r); err != nil {
			t.Fatalf("ParseReply: %v", err)
		}
		named += len(r.Settled)
		b = b[size:]
	}
	if named != n {
		t.Errorf("%d frames named, want %d", named, n)
	}
}

// ackPeer is what a sender makes of the answers of an ackQueue.
type ackPeer struct {
	t       *testing.T
	kinds   []ackRecord // of each frame: plain or not
	outcome []message.Outcome
	next    int // the oldest plain frame without an answer
}

func (p *ackPeer) settle(n uint64, o message.Outcome) {
	if n < 1 || n > uint64(len(p.outcome)) {
		p.t.Fatalf("answer for frame %d of %d", n, len(p.outcome))
	}
	if old := p.outcome[n-1]; old != 0 && old != o {
		p.t.Fatalf("frame %d: answered %v, then %v", n, old, o)
	}
	p.outcome[n-1] = o
}

func (p *ackPeer) read(b []byte) {
	for len(b) > 0 {
		data, size, err := message.Scan(b, 0)
		if err != nil || data == nil {
			p.t.Fatalf("Scan: %v, %v", data, err)
		}
		b = b[size:]
		var r message.Reply
		if err := message.ParseReply(data, &r); err != nil {
			p.t.Fatalf("ParseReply: %v", err)
		}
		switch r.Kind {
		case message.PlainAck:
			p.plain(message.Acknowledged)
		case message.PlainFailAck:
			p.plain(message.Refused)
		case message.NumberedAck:
			p.numbered(&r)
		}
	}
}

// plain answers the oldest frame that has no answer; it must be a plain one.
func (p *ackPeer) plain(o message.Outcome) {
	for ; p.next < len(p.kinds) && p.outcome[p.next] != 0; p.next++ {
	}
	if p.next == len(p.kinds) || p.kinds[p.next]&ackPlain == 0 {
		p.t.Fatalf("plain answer, and the oldest open frame is %d of %d", p.next+1, len(p.kinds))
	}
	p.settle(uint64(p.next+1), o)
}

func (p *ackPeer) numbered(r *message.Reply) {
	for _, s := range r.Settled {
		if p.kinds[s.Number-1]&ackPlain != 0 {
			p.t.Fatalf("plain frame %d named in a numbered ack", s.Number)
		}
		p.settle(s.Number, s.Outcome)
	}
	for i := range r.UpTo {
		if p.outcome[i] == 0 {
			if p.kinds[i]&ackPlain != 0 {
				p.t.Fatalf("plain frame %d covered by a numbered ack before its answer", i+1)
			}
			p.settle(i+1, message.Acknowledged)
		}
	}
}

// TestAckQueueRandom drives an ackQueue at random: whatever happens, a sender
// ends with the right outcome of each frame, and knows it as soon as it may.
func TestAckQueueRandom(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var q ackQueue
		p := &ackPeer{t: t}
		var open []uint64 // pushed, to be settled
		want := []message.Outcome{}
		for range 3000 {
			switch rnd.IntN(5) {
			case 0, 1:
				r := ackRecord(rnd.IntN(4)) // plain and done or not
				n := q.push(r)
				p.kinds, p.outcome = append(p.kinds, r), append(p.outcome, 0)
				want = append(want, message.Acknowledged)
				if r&ackDone == 0 {
					open = append(open, n)
				}
			case 2, 3:
				if len(open) == 0 {
					continue
				}
				i := 0
				if rnd.IntN(4) == 0 {
					i = rnd.IntN(len(open))
				}
				refused := rnd.IntN(3) == 0
				if refused {
					want[open[i]-1] = message.Refused
				}
				q.settle(open[i], refused, "why")
				open = slices.Delete(open, i, i+1)
			case 4:
				p.read(q.append(nil))
				if seed%2 == 0 {
					wantOpen(t, p, open)
				}
			}
		}
		for _, n := range open {
			q.settle(n, false, "")
		}
		p.read(q.append(nil))
		if !slices.Equal(p.outcome, want) {
			t.Fatalf("seed %d: the sender has other outcomes than the receiver", seed)
		}
		if b := q.append(nil); b != nil {
			t.Fatalf("seed %d: append() = %q with nothing to say", seed, b)
		}
	}
}

// wantOpen says that each frame without an answer is not done, or is a plain
// one behind one that is not.
func wantOpen(t *testing.T, p *ackPeer, open []uint64) {
	t.Helper()
	blocked := false
	for i, o := range p.outcome {
		notDone := slices.Contains(open, uint64(i+1))
		if o == 0 && !notDone && !(blocked && p.kinds[i]&ackPlain != 0) {
			t.Fatalf("frame %d is done and not answered", i+1)
		}
		blocked = blocked || notDone
	}
}

func TestAckQueueForgets(t *testing.T) {
	var q ackQueue
	q.push(0)
	for range 10 * ackRecords { // one frame is never done, then all are
		q.push(ackDone)
		q.append(nil)
	}
	q.settle(1, false, "")
	q.append(nil)
	if cap(q.recs) > 2*ackRecords || len(q.recs) != 0 {
		t.Errorf("%d records with room for %d after all was answered, want 0 with room for at most %d", len(q.recs), cap(q.recs), 2*ackRecords)
	}
	if n := q.push(ackDone); n != 10*ackRecords+2 {
		t.Errorf("push() = %d, want %d", n, 10*ackRecords+2)
	}
}

// TestAckQueueSlides keeps a window of open frames for long: what was answered
// must not add up.
func TestAckQueueSlides(t *testing.T) {
	var q ackQueue
	const window, frames = 100, 20 * ackRecords
	for n := uint64(1); n <= frames; n++ {
		q.push(0)
		if n <= window {
			continue
		}
		q.settle(n-window, false, "")
		if got, want := string(q.append(nil)), numberedAck(n-window); got != want {
			t.Fatalf("append() after frame %d = %q, want %q", n-window, got, want)
		}
		if q.answered(n-window+1) || !q.answered(n-window) {
			t.Fatalf("answered(%d, %d) wrong", n-window, n-window+1)
		}
	}
	if cap(q.recs) > 4*ackRecords {
		t.Errorf("room for %d records, want at most %d", cap(q.recs), 4*ackRecords)
	}
}
