package interceptor

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// parcel is one message for one destination. It is used again when both the
// call that hands it down has returned and its outcome is known.
type parcel struct {
	d      *Dispatch
	m      *message.Message // a reference, nil when it was handed down
	bytes  int
	to     [1]*membership.Member
	outer  *message.Receipt // the caller's
	inner  *message.Receipt // for the layers below
	notify func(*message.Receipt)
	holds  atomic.Int32
}

// newParcel takes over a reference to m.
func (d *Dispatch) newParcel(m *message.Message, to *membership.Member, r *message.Receipt) *parcel {
	p, ok := d.pool.Get().(*parcel)
	if !ok {
		p = &parcel{d: d, inner: message.NewReceipt(0, nil)}
		p.notify = p.settled
	}
	p.m, p.bytes, p.outer = m, m.Len(), r
	p.to[0] = to
	p.holds.Store(1)
	return p
}

// drop ends a hold.
func (p *parcel) drop() {
	if p.holds.Add(-1) > 0 {
		return
	}
	if p.m != nil {
		p.m.Release()
	}
	p.m, p.outer, p.to[0] = nil, nil, nil
	p.d.pool.Put(p)
}

// fail settles a parcel that was not handed down.
func (p *parcel) fail(err error) {
	p.finish(message.Result{Member: p.to[0], Outcome: message.NotSent, Err: err})
}

// settled is told by the layers below that the outcome is known.
func (p *parcel) settled(r *message.Receipt) { p.finish(r.Results(p.to[:], nil)[0]) }

// finish gives the room back, tells the outcome, and ends the first hold.
func (p *parcel) finish(res message.Result) {
	d := p.d
	d.room.give(p.bytes, 1)
	p.outer.SettleResult(res)
	p.drop()
	d.finished()
}

// forward hands p to the layer below. It returns when the layer below has
// taken it, or, if there may be retries, when it is settled. ctx ends with the
// lane.
func (d *Dispatch) forward(ctx context.Context, p *parcel) {
	switch {
	case ctx.Err() != nil:
		p.fail(context.Cause(ctx))
	case p.outer.Abandoned():
		p.fail(errAbandoned)
	case d.set.retries > 0:
		p.finish(d.persist(ctx, p))
	default:
		d.hand(ctx, p)
	}
}

// hand hands p down once.
func (d *Dispatch) hand(ctx context.Context, p *parcel) {
	m := p.m
	p.m = nil
	p.holds.Store(2)
	p.inner.Reset(1, p.notify)
	err := d.next(ctx, p.to[:], m, p.inner)
	m.Release()
	if err != nil {
		p.fail(err)
	}
	p.drop()
}

// persist hands p down until it is sent, or tried often enough, or ctx ends,
// and returns the outcome.
func (d *Dispatch) persist(ctx context.Context, p *parcel) message.Result {
	for try := 0; ; try++ {
		res := d.attempt(ctx, p)
		if try == d.set.retries || res.Outcome != message.NotSent || !suspicious(res.Err) {
			return res
		}
		pause := time.NewTimer(d.set.pause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			res.Err = fmt.Errorf("%w; before that: %w", context.Cause(ctx), res.Err)
			return res
		}
		d.counts.retried.Add(1)
		d.host.Trace().Retry(p.to[0], p.m.ID, res.Err)
	}
}

// attempt hands a copy of p down and waits for its outcome.
func (d *Dispatch) attempt(ctx context.Context, p *parcel) message.Result {
	m := p.m.Copy()
	r := message.NewReceipt(1, nil)
	err := d.next(ctx, p.to[:], m, r)
	m.Release()
	if err != nil {
		return message.Result{Member: p.to[0], Outcome: message.NotSent, Err: err}
	}
	<-r.Done() // the layers below settle what they have accepted
	return r.Results(p.to[:], nil)[0]
}
