package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/message"
)

// maxLength bounds the messages that a command may ask for.
const maxLength = 1 << 30

// request is one message to send.
type request struct {
	stream string
	seq    uint64
	length int
	mode   message.Options
	dest   string
}

// queueSend understands STREAM SEQ LEN MODE DEST and puts the send in line, so
// that one that waits for an ack does not hold up other commands.
func (n *node) queueSend(words []string) error {
	if len(words) != 5 {
		return errors.New("want: send STREAM SEQ LEN MODE DEST")
	}
	seq, err := strconv.ParseUint(words[1], 10, 64)
	if err != nil {
		return fmt.Errorf("SEQ %q: want a number", words[1])
	}
	r, err := newRequest(words[0], words[2], words[3], words[4])
	if err != nil {
		return err
	}
	r.seq = seq
	n.requests <- r
	return nil
}

func newRequest(stream, length, mode, dest string) (request, error) {
	l, err := strconv.Atoi(length)
	if err != nil || l < 0 || l > maxLength {
		return request{}, fmt.Errorf("LEN %q: want 0 to %d", length, maxLength)
	}
	o, err := parseMode(mode)
	return request{stream: stream, length: l, mode: o, dest: dest}, err
}

// sendRequests sends single messages in the order of their commands.
func (n *node) sendRequests(ctx context.Context) {
	for r := range n.requests {
		n.send(ctx, r, nil)
	}
}

// send sends one message and reports exactly one outcome. buf is scratch space.
func (n *node) send(ctx context.Context, r request, buf []byte) []byte {
	begin := time.Now()
	n.counts.sent.Add(1)
	g := n.group()
	if g == nil {
		n.report(r, 0, begin, errLeft)
		return buf
	}
	to := destinations(g, r.dest)
	buf = appendPayload(buf[:0], r.stream, r.seq, r.length)
	if r.mode&message.Async == 0 {
		_, err := g.Send(ctx, to, buf, r.mode)
		n.report(r, len(to), begin, err)
		return buf
	}
	n.work.Add(1)
	_, err := g.Post(ctx, to, buf, r.mode, func(_ message.ID, err error) {
		defer n.work.Done()
		n.report(r, len(to), begin, err)
	})
	if err != nil {
		n.work.Done()
		n.report(r, len(to), begin, err)
	}
	return buf
}

// report writes the outcome of one message.
func (n *node) report(r request, to int, begin time.Time, err error) {
	us := time.Since(begin).Microseconds()
	if err == nil {
		n.counts.acked.Add(1)
		if !n.switches.on("quiet") {
			n.out.emit(ackEvent{n.at("ack"), r.stream, r.seq, to, us})
		}
		return
	}
	n.counts.failed.Add(1)
	n.history.failed(r, err)
	n.out.emit(sendErrorEvent{n.at("sendError"), r.stream, r.seq, err.Error(), faulty(err), us})
}

// faulty lists the destinations that failed with their causes.
func faulty(err error) []string {
	list := []string{}
	var se *group.SendError
	if errors.As(err, &se) {
		for _, res := range se.Results {
			if !res.Outcome.OK() {
				list = append(list, fmt.Sprintf("%s %s: %v", addr(res.Member), res.Outcome, res.Err))
			}
		}
	}
	return list
}

// bench is a series of messages under way.
type bench struct {
	request
	count   uint64
	rate    float64 // messages per second, 0 for as fast as possible
	threads int
	next    atomic.Uint64
	begin   time.Time
}

// startBench understands STREAM COUNT LEN MODE RATE DEST [THREADS].
func (n *node) startBench(ctx context.Context, words []string) error {
	if len(words) != 6 && len(words) != 7 {
		return errors.New("want: bench STREAM COUNT LEN MODE RATE DEST [THREADS]")
	}
	r, err := newRequest(words[0], words[2], words[3], words[5])
	if err != nil {
		return err
	}
	b := &bench{request: r, threads: 1, begin: time.Now()}
	if b.count, err = strconv.ParseUint(words[1], 10, 64); err != nil {
		return fmt.Errorf("COUNT %q: want a number", words[1])
	}
	if b.rate, err = strconv.ParseFloat(words[4], 64); err != nil || b.rate < 0 {
		return fmt.Errorf("RATE %q: want messages per second, 0 for no limit", words[4])
	}
	if len(words) == 7 {
		if b.threads, err = strconv.Atoi(words[6]); err != nil || b.threads < 1 || b.threads > 10000 {
			return fmt.Errorf("THREADS %q: want 1 to 10000", words[6])
		}
	}
	n.work.Go(func() { n.runBench(ctx, b) }) // ends when all is sent or ctx ends
	return nil
}

func (n *node) runBench(ctx context.Context, b *bench) {
	var senders sync.WaitGroup
	for range b.threads {
		senders.Go(func() {
			var buf []byte
			for seq := b.next.Add(1); seq <= b.count && b.wait(ctx, seq); seq = b.next.Add(1) {
				r := b.request
				r.seq = seq
				buf = n.send(ctx, r, buf)
			}
		})
	}
	senders.Wait()
	n.out.emit(benchDoneEvent{n.at("benchDone"), b.stream, b.count, time.Since(b.begin).Milliseconds()})
}

// wait waits until message seq is due; false if ctx ends first.
func (b *bench) wait(ctx context.Context, seq uint64) bool {
	if b.rate == 0 {
		return ctx.Err() == nil
	}
	due := b.begin.Add(time.Duration(float64(seq-1) / b.rate * float64(time.Second)))
	d := time.Until(due)
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
