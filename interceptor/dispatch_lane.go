package interceptor

import (
	"context"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// laneLinger is how long the goroutine of a queue that is empty stays.
const laneLinger = time.Second

// lane is the queue for one destination, with a goroutine that empties it. A
// lane is in Dispatch.lanes for as long as it takes messages.
type lane struct {
	key   membership.Key
	queue []*parcel
	wake  chan struct{}           // has room for one value
	end   context.CancelCauseFunc // of the goroutine; nil until it runs
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

// enqueue queues m for each of to, or returns false if the layer is closed.
func (d *Dispatch) enqueue(to []*membership.Member, m *message.Message, r *message.Receipt) bool {
	var few [8]*parcel
	parcels := few[:0]
	for range len(to) - 1 {
		parcels = append(parcels, d.newParcel(m.Copy(), to[len(parcels)], r)) // the layers below may change it
	}
	m.Retain()
	parcels = append(parcels, d.newParcel(m, to[len(to)-1], r))
	if !d.put(parcels) {
		for _, p := range parcels {
			p.drop()
		}
		return false
	}
	return true
}

// put puts parcels into their lanes, or none of them if the layer is closed.
func (d *Dispatch) put(parcels []*parcel) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.open += len(parcels)
	for _, p := range parcels {
		l := d.lane(p.to[0].Key())
		l.queue = append(l.queue, p)
		l.signal()
	}
	return true
}

// lane returns the lane to a destination. It is called with mu held, so that
// no goroutine is asked for after the drain.
func (d *Dispatch) lane(k membership.Key) *lane {
	l := d.lanes[k]
	if l == nil {
		l = &lane{key: k, wake: make(chan struct{}, 1)}
		d.lanes[k] = l
		d.host.Go("dispatch", func(ctx context.Context) { d.work(ctx, l) })
	}
	return l
}

// work hands on what is queued until the lane was empty for a while, or ends.
func (d *Dispatch) work(ctx context.Context, l *lane) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	d.begin(l, end)
	idle := time.NewTimer(laneLinger)
	defer idle.Stop()
	var batch []*parcel
	for {
		batch = d.take(l, batch)
		for i, p := range batch {
			d.forward(ctx, p)
			batch[i] = nil
		}
		if len(batch) > 0 {
			idle.Reset(laneLinger)
			continue
		}
		select {
		case <-l.wake:
		case <-idle.C:
			if d.retire(l) {
				return
			}
			idle.Reset(laneLinger)
		case <-ctx.Done():
			d.close(l, context.Cause(ctx))
			return
		}
	}
}

// begin lets others end the goroutine of l.
func (d *Dispatch) begin(l *lane, end context.CancelCauseFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.end = end
}

// take swaps the queue of l for the memory of an empty one.
func (d *Dispatch) take(l *lane, empty []*parcel) []*parcel {
	d.mu.Lock()
	defer d.mu.Unlock()
	full := l.queue
	l.queue = empty[:0]
	return full
}

// retire takes l out of use if it is empty.
func (d *Dispatch) retire(l *lane) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(l.queue) > 0 {
		return false
	}
	if d.lanes[l.key] == l {
		delete(d.lanes, l.key)
	}
	return true
}

// close takes l out of use, ends its goroutine and settles what is queued.
func (d *Dispatch) close(l *lane, why error) {
	d.mu.Lock()
	if d.lanes[l.key] == l {
		delete(d.lanes, l.key)
	}
	left := l.queue
	l.queue = nil
	if l.end != nil {
		l.end(why)
	}
	d.mu.Unlock()
	for _, p := range left {
		p.fail(why)
	}
}

// abandon closes the lane to a member that is gone.
func (d *Dispatch) abandon(k membership.Key) {
	d.mu.Lock()
	l := d.lanes[k]
	d.mu.Unlock()
	if l != nil {
		d.close(l, ErrGone)
	}
}

// finished notes that a parcel was settled.
func (d *Dispatch) finished() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	if d.open == 0 && d.drained != nil {
		close(d.drained)
		d.drained = nil
	}
}

// drain takes no more messages and waits until all are settled, or ctx ends;
// then it settles what was not handed on.
func (d *Dispatch) drain(ctx context.Context) {
	d.mu.Lock()
	d.closed = true
	var drained chan struct{} // nil if there is nothing to wait for
	if d.open > 0 {
		drained = make(chan struct{})
		d.drained = drained
	}
	d.mu.Unlock()
	d.room.close()
	if drained == nil {
		return
	}
	select {
	case <-drained:
		return
	case <-ctx.Done():
	}
	for _, l := range d.allLanes() {
		d.close(l, channel.ErrClosed)
	}
}

func (d *Dispatch) allLanes() []*lane {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*lane, 0, len(d.lanes))
	for _, l := range d.lanes {
		all = append(all, l)
	}
	return all
}
