package channel

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// host is what one layer sees of its channel.
type host struct {
	c       *Channel
	name    string
	logger  *slog.Logger
	onStart []func(ctx context.Context) error
	onDrain []func(ctx context.Context)
	started bool // all of onStart has succeeded
}

func newHost(c *Channel, layer Interceptor) *host {
	name := layerName(layer)
	return &host{c: c, name: name, logger: c.cfg.Logger.With("layer", name)}
}

// layerName is the type of a layer without its package.
func layerName(layer Interceptor) string {
	name := fmt.Sprintf("%T", layer)
	return name[strings.LastIndexAny(name, ".*")+1:]
}

func (h *host) Local() *membership.Member { return h.c.Local() }
func (h *host) Logger() *slog.Logger      { return h.logger }
func (h *host) Trace() *Trace             { return h.c.cfg.Trace }
func (h *host) Pool() *message.Pool       { return &h.c.pool }
func (h *host) Serial(f func())           { h.c.events.put(f) }

func (h *host) Go(_ string, f func(ctx context.Context)) { h.c.tasks.Start(f) }

func (h *host) Every(d time.Duration, f func(ctx context.Context)) {
	h.c.tasks.Start(func(ctx context.Context) {
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if ctx.Err() == nil { // both at a time
					f(ctx)
				}
			}
		}
	})
}

func (h *host) OnStart(f func(ctx context.Context) error) { h.onStart = append(h.onStart, f) }
func (h *host) OnDrain(f func(ctx context.Context))       { h.onDrain = append(h.onDrain, f) }

func (h *host) Guard(f func(m *message.Message) error) { h.c.guards = append(h.c.guards, f) }

// Admit asks the guards about a message that a layer keeps for the application, as that of
// remote calls does: it is beside Host for whoever stands at the top.
func (h *host) Admit(m *message.Message) error { return h.c.admit(m) }

func (h *host) Announce(c message.Caps) { h.c.caps |= c }

func (h *host) Understands(m *membership.Member) message.Caps { return h.c.known.of(m) }

func (h *host) NewMessage(size int) *message.Message { return h.c.newMessage(size) }

func (h *host) Probe(ctx context.Context, m *membership.Member, p Probe) error {
	if !h.c.cfg.Services.Has(SendData) {
		return ErrServiceOff
	}
	begin := time.Now()
	err := h.c.cfg.Sender.Probe(ctx, m, p)
	h.c.cfg.Trace.Probe(m, p.Kind, time.Since(begin), err)
	return err
}

func (h *host) Forget(m *membership.Member) {
	if h.c.cfg.Sender != nil {
		h.c.cfg.Sender.Forget(m)
	}
}
