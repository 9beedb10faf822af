package group

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// tlsOnly is the layer of WithTLS, nearest the application: what the application
// sends goes over TLS, and what did not come over TLS does not reach it. What
// other layers say to each other, such as probes and the messages of static
// membership, does not come this far.
type tlsOnly struct {
	host  channel.Host
	begun time.Time
	quiet atomic.Int64 // until then, since begun, nothing more is logged
	clear atomic.Uint64
}

const (
	tlsOnlyName  = "tlsOnly"
	tlsOnlyPause = 10 * time.Second
)

// BindDown implements channel.Interceptor.
func (t *tlsOnly) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	t.host, t.begun = h, time.Now()
	next := below.Send
	below.Send = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		m.Options |= message.Secure
		return next(ctx, to, m, r)
	}
	return below, nil
}

// BindUp implements channel.Interceptor.
func (t *tlsOnly) BindUp(above channel.Up) channel.Up {
	next := above.Receive
	above.Receive = func(ctx context.Context, m *message.Message) error {
		if m.Options.Has(message.Secure) {
			return next(ctx, m)
		}
		return t.refuse(m)
	}
	return above
}

func (t *tlsOnly) refuse(m *message.Message) error {
	const reason = "came in the clear"
	n := t.clear.Add(1)
	t.host.Trace().MessageDropped(tlsOnlyName, m.Source, m.ID, reason)
	now, until := int64(time.Since(t.begun)), t.quiet.Load()
	if now >= until && t.quiet.CompareAndSwap(until, now+int64(tlsOnlyPause)) {
		t.host.Logger().Warn("messages in the clear are refused", "member", m.Source, "messages", n)
	}
	return fmt.Errorf("tribes: receive: %s: %w", reason, channel.ErrNotSecure)
}
