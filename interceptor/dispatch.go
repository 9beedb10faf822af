package interceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// FullPolicy says what [Dispatch] does with a message for which it has no room.
type FullPolicy uint8

// The policies.
const (
	// Block: the send waits for room, until its context ends or PutTimeout has
	// passed; then it returns the cause of the context, or channel.ErrQueueFull,
	// and nothing was accepted.
	Block FullPolicy = iota
	// Refuse: the send returns channel.ErrQueueFull at once and nothing was
	// accepted.
	Refuse
	// Fail: the send is accepted and every destination is settled at once as
	// message.NotSent with channel.ErrQueueFull.
	Fail
)

// Dispatch is a layer that takes messages with the option Async off the hands
// of the caller: their send returns when they are in a queue. There is a queue
// and a goroutine for each destination while there are messages for it, so one
// that is slow delays no other; towards one destination the order is kept.
// What is queued, and what the layers below have not settled yet, is bounded by
// MaxBytes and MaxMessages together. Each destination of each message has
// exactly one outcome, whatever happens.
//
// When a destination leaves or fails, what waits for it is settled as not sent,
// with ErrGone. When the channel stops, the queues are drained; what is left
// when the time for that is over is settled as not sent, with
// channel.ErrClosed, or by the sender.
//
// Messages without the option pass untouched, past those that are queued, and
// so do messages with the option Multicast, which are one message whatever
// their destinations. The option stays in the message, as in Tribes
// (docs/wire.md, Interceptors).
//
// The fields are settings; they are read when the layer is bound. The zero
// value is good. A Dispatch serves one channel. Its methods are safe for
// concurrent use.
type Dispatch struct {
	// OptionFlag is what a message must have to be queued; zero means
	// message.Async.
	OptionFlag message.Options
	// MaxBytes bounds the payload bytes that are queued or not settled, once per
	// destination; zero means 64 MiB, negative no bound. A message that is larger
	// by itself is taken when there is no other.
	MaxBytes int
	// MaxMessages bounds their number, once per destination; zero means 65536,
	// negative no bound.
	MaxMessages int
	// WhenFull says what happens to a message for which there is no room.
	WhenFull FullPolicy
	// PutTimeout bounds the wait for room with the policy Block; zero means 10 s,
	// negative leaves it to the context of the send.
	PutTimeout time.Duration
	// Retries is how many times a message is sent again that was not sent because
	// its destination could not be reached; zero or negative means none. With
	// retries there is one message at a time on its way to each destination, so
	// that their order is kept.
	Retries int
	// RetryPause is the time before each retry; zero means 5 s.
	RetryPause time.Duration

	set  dispatchSettings
	host channel.Host
	next channel.SendFunc
	up   channel.Up
	room *room
	pool sync.Pool // of *parcel

	counts dispatchCounts

	mu      sync.Mutex // guards what follows, and what is in the lanes
	lanes   map[membership.Key]*lane
	open    int           // parcels not settled
	closed  bool          // no more are taken
	drained chan struct{} // closed when open is 0; nil if nobody waits
}

var _ channel.Interceptor = (*Dispatch)(nil)

// ErrGone means that a message was not sent because its destination left the
// group, or failed, while the message waited for it.
var ErrGone = errors.New("tribes: dispatch: the member is gone")

// errAbandoned: the outcome of a message that nobody waits for any more.
var errAbandoned = errors.New("tribes: dispatch: the sender does not wait any more")

// The defaults of a Dispatch.
const (
	defaultMaxBytes    = 64 << 20
	defaultMaxMessages = 65536
	defaultPutTimeout  = 10 * time.Second
	defaultRetryPause  = 5 * time.Second
)

// dispatchSettings are the checked settings of a Dispatch, with defaults.
type dispatchSettings struct {
	flag       message.Options
	whenFull   FullPolicy
	putTimeout time.Duration // 0: none
	retries    int
	pause      time.Duration
}

func (d *Dispatch) settings() (dispatchSettings, error) {
	s := dispatchSettings{
		flag:       cmp.Or(d.OptionFlag, message.Async),
		whenFull:   d.WhenFull,
		putTimeout: max(cmp.Or(d.PutTimeout, defaultPutTimeout), 0),
		retries:    max(d.Retries, 0),
		pause:      cmp.Or(d.RetryPause, defaultRetryPause),
	}
	var errs []error
	if s.whenFull > Fail {
		errs = append(errs, fmt.Errorf("tribes: dispatch: WhenFull %d: want Block, Refuse or Fail", s.whenFull))
	}
	if s.pause < 0 {
		errs = append(errs, fmt.Errorf("tribes: dispatch: RetryPause %v: want a positive duration", s.pause))
	}
	return s, errors.Join(errs...)
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (d *Dispatch) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if d.host != nil {
		return below, errBound
	}
	set, err := d.settings()
	if err != nil {
		return below, err
	}
	d.host, d.set, d.next = h, set, below.Send
	d.room = &room{maxBytes: cmp.Or(d.MaxBytes, defaultMaxBytes), maxMessages: cmp.Or(d.MaxMessages, defaultMaxMessages)}
	d.lanes = make(map[membership.Key]*lane)
	h.OnDrain(d.drain)
	below.Send = d.send
	return below, nil
}

// BindUp implements channel.Interceptor.
func (d *Dispatch) BindUp(above channel.Up) channel.Up {
	d.up = above
	up := above
	up.Event = d.event
	return up
}

// send is the layer's SendFunc.
func (d *Dispatch) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if !m.Options.Has(d.set.flag) || m.Options.Has(message.Multicast) || len(to) == 0 {
		return d.next(ctx, to, m, r)
	}
	bytes, messages := m.Len()*len(to), len(to)
	if err := d.admit(ctx, bytes, messages); err != nil {
		if d.set.whenFull == Fail && errors.Is(err, channel.ErrQueueFull) {
			d.counts.failed.Add(uint64(messages))
			r.SettleAll(to, message.NotSent, err)
			return nil
		}
		d.counts.refused.Add(uint64(messages))
		return err
	}
	if !d.enqueue(to, m, r) {
		d.room.give(bytes, messages)
		return channel.ErrClosed
	}
	return nil
}

// admit gets room, or says why there is none.
func (d *Dispatch) admit(ctx context.Context, bytes, messages int) error {
	wait, ok := d.room.take(bytes, messages, d.set.whenFull == Block)
	switch {
	case ok:
		return nil
	case wait == nil:
		return channel.ErrQueueFull
	}
	d.counts.waited.Add(1)
	var timeout <-chan time.Time
	if d.set.putTimeout > 0 {
		t := time.NewTimer(d.set.putTimeout)
		defer t.Stop()
		timeout = t.C
	}
	var err error
	select {
	case err = <-wait.ready:
		return err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timeout:
		err = channel.ErrQueueFull
	}
	d.room.cancel(wait)
	return err
}

// event clears the queue of a member that is gone, before the event makes the
// sender forget it, and passes the event on.
func (d *Dispatch) event(ev membership.Event) {
	if ev.Kind == membership.Left || ev.Kind == membership.Failed {
		d.abandon(ev.Member.Key())
	}
	d.up.Event(ev)
}
