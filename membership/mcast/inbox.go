package mcast

import (
	"context"
	"sync"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// messageCost is what a waiting message is counted with beside its payload, in
// bytes.
const messageCost = 256

// inbox has the messages that wait for their delivery, so that a slow listener
// never keeps us from the heartbeats behind its messages.
type inbox struct {
	limit int // bytes
	end   context.CancelFunc
	wake  chan struct{}
	done  chan struct{} // closed when the delivery has ended

	mu     sync.Mutex
	queue  []waiting
	bytes  int
	busy   bool // a delivery is under way
	closed bool // nothing is taken any more
	cut    bool // what waits is not delivered any more
}

type waiting struct {
	m    *message.Message
	cost int
}

// run starts the delivery, which ends after close.
func (in *inbox) run(upper channel.Env, counts *counters) {
	ctx, end := context.WithCancel(context.Background())
	in.end = end
	in.wake, in.done = make(chan struct{}, 1), make(chan struct{})
	go in.deliver(ctx, upper.Deliver, counts) // ends after close
}

// put takes over the caller's reference to m. If there is no room, m is released
// and the result is false.
func (in *inbox) put(m *message.Message) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := waiting{m, m.Len() + messageCost}
	if in.closed || in.bytes+w.cost > in.limit {
		m.Release()
		return false
	}
	in.bytes += w.cost
	in.queue = append(in.queue, w)
	signal(in.wake)
	return true
}

func (in *inbox) deliver(ctx context.Context, to channel.ReceiveFunc, counts *counters) {
	defer close(in.done)
	for {
		w, end := in.take()
		switch {
		case end:
			in.drop(counts)
			return
		case w.m == nil:
			<-in.wake
			continue
		}
		counts.messagesTaken.Add(1)
		_ = to(ctx, w.m) // an error is for a sender who waits, and nobody does
		w.m.Release()
		in.delivered(w)
	}
}

// take returns the oldest message, if there is one, or that this is the end.
func (in *inbox) take() (w waiting, end bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) == 0 || in.cut {
		return waiting{}, in.closed
	}
	w, in.queue[0] = in.queue[0], waiting{}
	in.queue = in.queue[1:]
	in.busy = true
	return w, false
}

func (in *inbox) delivered(w waiting) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.bytes -= w.cost
	in.busy = false
}

// drop counts and releases what is left.
func (in *inbox) drop(counts *counters) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, w := range in.queue {
		counts.rejected[notDelivered].Add(1)
		w.m.Release()
	}
	in.queue = nil
}

// close delivers what waits until ctx ends and drops the rest. It waits for the
// end; if a delivery is under way when ctx ends, it returns the cause of ctx, and
// that delivery ends by itself.
func (in *inbox) close(ctx context.Context) error {
	if in.done == nil {
		return nil // it was never run
	}
	defer in.end()
	in.shut(false)
	select {
	case <-in.done:
		return nil
	case <-ctx.Done():
	}
	if in.shut(true) {
		return context.Cause(ctx)
	}
	<-in.done
	return nil
}

// shut ends the taking of messages, and with cut their delivery. It reports
// whether a delivery is under way.
func (in *inbox) shut(cut bool) (busy bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.cut = true, cut
	signal(in.wake)
	return in.busy
}
