package interceptor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/message"
)

// Why a received message is not passed on.
var (
	errUndecryptable = errors.New("the message cannot be decrypted")
	errReplayed      = errors.New("the message came before")
	errTooOld        = errors.New("the message is too old, or the clock of its sender is behind")
	errTooNew        = errors.New("the clock of the sender is ahead")
	errForgotten     = errors.New("the message is older than those that are remembered")

	errUnmarked = errors.New("tribes: encrypt: the message was not decrypted")
)

// The reasons for which an Encrypt drops messages, as the trace tells them.
const (
	reasonUndecryptable = "cannot be decrypted"
	reasonReplayed      = "replayed"
	reasonTooOld        = "sealed too long ago"
	reasonTooNew        = "sealed in the future"
	reasonForgotten     = "older than the replay window"
	reasonUnmarked      = "not decrypted"
)

// receive is the layer's ReceiveFunc.
func (e *Encrypt) receive(ctx context.Context, m *message.Message) error {
	if err := e.open(m); err != nil {
		return e.drop(m, err)
	}
	e.mark.Set(m)
	e.counts.received.Add(1)
	return e.above(ctx, m)
}

// open replaces the payload of m, if it is to be delivered.
func (e *Encrypt) open(m *message.Message) error {
	src, now := m.Payload(), e.now()
	out := e.host.Pool().Get(len(src))
	got, ok := e.ring.Load().open(&e.set, out.Bytes(), src, now)
	if !ok {
		out.Release()
		return errUndecryptable
	}
	var v iv
	copy(v[:], src[:got.key.iv()])
	if err := e.admit(m, v, got.at, now); err != nil {
		out.Release()
		return err
	}
	got.key.use(e.set.most, e.host.Logger()) // one that is used up still decrypts
	m.SetPayload(out)
	m.Trim(len(src) - got.n)
	if !e.set.bare {
		m.Skip(stampSize)
	}
	return nil
}

// admit asks the replay window, and tells of clocks.
func (e *Encrypt) admit(m *message.Message, v iv, at, now int64) error {
	w := e.window.Load()
	if e.set.bare {
		if w.once(v) == replayed {
			return errReplayed
		}
		return nil
	}
	result := w.admit(v, at, now)
	d := min(max(at, now-century), now+century) - now
	if outside := result == tooOld || result == tooNew; outside || max(d, -d) > w.span/2 && result == fresh {
		e.skews.note(m.Source, time.Duration(d)*time.Millisecond, e.set.window, outside, e.host.Logger())
	}
	switch result {
	case replayed:
		return errReplayed
	case tooOld:
		return errTooOld
	case tooNew:
		return errTooNew
	case forgotten:
		return errForgotten
	}
	return nil
}

// drop tells about a message that is not passed on, and returns what its sender is
// told: nothing, if that would help who has no key.
func (e *Encrypt) drop(m *message.Message, err error) error {
	c := &e.counts
	count, reason := &c.undecryptable, reasonUndecryptable
	switch err {
	case errReplayed:
		count, reason = &c.replayed, reasonReplayed
	case errTooOld:
		count, reason = &c.old, reasonTooOld
	case errTooNew:
		count, reason = &c.news, reasonTooNew
	case errForgotten:
		count, reason = &c.forgotten, reasonForgotten
	}
	count.Add(1)
	if count == &c.old || count == &c.news { // the log has the clock
		e.host.Trace().MessageDropped(e.drops.layer, m.Source, m.ID, reason)
	} else {
		e.drops.message(m, reason, nil)
	}
	if e.set.cipher != AESGCM {
		return nil
	}
	return fmt.Errorf("tribes: encrypt: %w", err)
}

// guard is the last check before the application: what has not passed the layer
// does not pass.
func (e *Encrypt) guard(m *message.Message) error {
	if e.mark.On(m) {
		return nil
	}
	e.counts.unmarked.Add(1)
	e.drops.message(m, reasonUnmarked, nil)
	return errUnmarked
}
