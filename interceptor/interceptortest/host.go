package interceptortest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// host is what the harness offers to one layer. It keeps the promises of
// channel.Host.
type host struct {
	h       *Harness
	onStart []func(ctx context.Context) error
	onDrain []func(ctx context.Context)
}

func (o *host) Local() *membership.Member { return o.h.local.Load() }
func (o *host) Logger() *slog.Logger      { return o.h.cfg.Logger }
func (o *host) Trace() *channel.Trace     { return o.h.cfg.Trace }
func (o *host) Pool() *message.Pool       { return &o.h.pool }
func (o *host) Serial(f func())           { o.h.line.put(f) }

func (o *host) Go(_ string, f func(ctx context.Context)) { o.h.tasks.Start(f) }

func (o *host) Every(d time.Duration, f func(ctx context.Context)) {
	o.h.tasks.Start(func(ctx context.Context) {
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			if !o.h.ice.pass(ctx) {
				return
			}
			if ctx.Err() == nil { // both at a time
				f(ctx)
			}
		}
	})
}

func (o *host) OnStart(f func(ctx context.Context) error) { o.onStart = append(o.onStart, f) }
func (o *host) OnDrain(f func(ctx context.Context))       { o.onDrain = append(o.onDrain, f) }

func (o *host) Guard(f func(m *message.Message) error) { o.h.guards = append(o.h.guards, f) }

func (o *host) Announce(c message.Caps) { o.h.announced |= c }

func (o *host) Understands(m *membership.Member) message.Caps { return o.h.understands(m) }

func (o *host) NewMessage(size int) *message.Message { return o.h.newMessage(size) }

func (o *host) Probe(ctx context.Context, m *membership.Member, p channel.Probe) error {
	begin := time.Now()
	err := o.h.probe(ctx, m, p)
	o.h.cfg.Trace.Probe(m, p.Kind, time.Since(begin), err)
	return err
}

func (o *host) Forget(m *membership.Member) { o.h.forgotten.add(m) }

// ice holds up what has to pass it while the harness is frozen.
type ice struct {
	mu     sync.Mutex
	melted chan struct{} // nil if there is no ice
}

func (i *ice) freeze() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.melted == nil {
		i.melted = make(chan struct{})
	}
}

func (i *ice) thaw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.melted != nil {
		close(i.melted)
		i.melted = nil
	}
}

// wait is pass without an end.
func (i *ice) wait() { i.pass(context.Background()) }

// pass waits until there is no ice; it returns false if ctx ended first.
func (i *ice) pass(ctx context.Context) bool {
	i.mu.Lock()
	melted := i.melted
	i.mu.Unlock()
	if melted == nil {
		return true
	}
	select {
	case <-melted:
		return true
	case <-ctx.Done():
		return false
	}
}
