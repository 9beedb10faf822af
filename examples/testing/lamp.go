// Package lamp is an example of an application and of how to test it without a
// network: lamps that are all on or all off. See its test.
package lamp

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
)

// Lamp is one lamp of a group.
type Lamp struct {
	g  *group.Group
	on atomic.Bool
}

// New starts a lamp. A program gives options such as group.WithBind, a test the
// parts of transport/mem.
func New(ctx context.Context, options ...group.Option) (*Lamp, error) {
	g, err := group.New(options...)
	if err != nil {
		return nil, err
	}
	l := &Lamp{g: g}
	g.Listen(group.ListenerFunc(func(_ context.Context, m *group.Message) error {
		l.on.Store(string(m.Payload()) == "on")
		return nil
	}))
	return l, g.Start(ctx)
}

// On reports whether the lamp is on.
func (l *Lamp) On() bool { return l.on.Load() }

// Switch switches this lamp and all that can be reached; the error names the
// others. One alone is content with itself.
func (l *Lamp) Switch(ctx context.Context, on bool) error {
	text := map[bool]string{true: "on", false: "off"}[on]
	l.on.Store(on)
	_, err := l.g.SendAll(ctx, []byte(text), group.Sync)
	if errors.Is(err, channel.ErrNoMembers) {
		return nil
	}
	return err
}

// Close leaves the group.
func (l *Lamp) Close() error { return l.g.Stop(context.Background()) }
