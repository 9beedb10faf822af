// Package layer is an example of a layer of one's own: it keeps messages from
// leaving that are larger than the application wants to allow.
package layer

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Limit refuses to send payloads of more than Bytes. Give it to
// group.WithInterceptors; where it stands decides what it sees: above Gzip the
// bytes of the application.
type Limit struct {
	Bytes int

	refused atomic.Uint64
}

// Refused is how many messages were not sent.
func (l *Limit) Refused() uint64 { return l.refused.Load() }

// BindDown implements channel.Interceptor: it puts itself in front of Send.
func (l *Limit) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	next := below.Send
	below.Send = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		if m.Len() > l.Bytes {
			l.refused.Add(1)
			return fmt.Errorf("%w: %d bytes, %d are allowed", message.ErrTooLarge, m.Len(), l.Bytes)
		}
		return next(ctx, to, m, r)
	}
	return below, nil
}

// BindUp implements channel.Interceptor: what comes is left as it is.
func (l *Limit) BindUp(above channel.Up) channel.Up { return above }
