package interceptortest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/tasks"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// stopTimeout is the default of channel.Config.StopTimeout.
const stopTimeout = 5 * time.Second

// Config says what a [Harness] is like. The zero Config is good.
type Config struct {
	// Local is the local member; nil means Member(1).
	Local *membership.Member
	// Logger is what layers log to; nil discards.
	Logger *slog.Logger
	// Trace is told what layers do; nil is told nothing.
	Trace *channel.Trace
	// Probe answers Host.Probe; nil means that every probe succeeds at once. See
	// Harness.SetProbe.
	Probe ProbeFunc
}

// ProbeFunc stands for the sender's Probe method.
type ProbeFunc func(ctx context.Context, m *membership.Member, p channel.Probe) error

// Harness is a stack of the layers under test, with a bottom and a top that
// record what reaches them. It is safe for concurrent use.
type Harness struct {
	// Bottom is what the lowest layer sends through.
	Bottom *Bottom
	// Top is what the highest layer delivers to.
	Top *Top

	tb        testing.TB
	cfg       Config
	pool      message.Pool
	local     atomic.Pointer[membership.Member]
	tasks     tasks.Tasks // of layers
	ice       ice
	line      *line
	hosts     []*host
	down      channel.Down
	up        channel.Up
	probing   atomic.Pointer[ProbeFunc]
	forgotten memberList
	guards    []func(*message.Message) error
	announced message.Caps
	known     knownCaps

	runCtx context.Context
	endRun context.CancelCauseFunc
	stop   sync.Once
}

// New binds layers, nearest the application first, and stops the harness when
// the test ends. A layer that refuses to be bound fails the test.
func New(tb testing.TB, cfg Config, layers ...channel.Interceptor) *Harness {
	tb.Helper()
	if cfg.Local == nil {
		cfg.Local = Member(1)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Trace = cfg.Trace.WithDefaults()
	h := &Harness{tb: tb, cfg: cfg, Bottom: newBottom(), Top: new(Top)}
	h.SetProbe(cfg.Probe)
	h.runCtx, h.endRun = context.WithCancelCause(context.Background())
	h.line = newLine(&h.ice)
	tb.Cleanup(func() { h.Stop(context.Background()) })
	h.bind(layers)
	return h
}

func (h *Harness) bind(layers []channel.Interceptor) {
	h.tb.Helper()
	h.down = channel.Down{Send: h.Bottom.send, View: h.Bottom.View}
	h.hosts = make([]*host, len(layers))
	for i, layer := range slices.Backward(layers) {
		h.hosts[i] = &host{h: h}
		down, err := layer.BindDown(h.hosts[i], h.down)
		if err != nil {
			h.tb.Fatalf("BindDown of %T: %v", layer, err)
		}
		h.down = down
	}
	h.up = channel.Up{Receive: h.guarded, Event: h.Top.event, Fault: h.Top.fault, View: h.Top.agree}
	for _, layer := range layers {
		views := h.up.View
		h.up = layer.BindUp(h.up)
		if h.up.View == nil {
			h.up.View = views
		}
	}
}

// guarded gives what the guards let pass to the top.
func (h *Harness) guarded(ctx context.Context, m *message.Message) error {
	for _, pass := range h.guards {
		if err := pass(m); err != nil {
			return err
		}
	}
	return h.Top.receive(ctx, m)
}

// Start runs the start of a channel: the local member becomes known, the
// OnStart steps run from the bottom up, and the goroutines begin. A step that
// fails fails the test.
func (h *Harness) Start() {
	h.tb.Helper()
	h.local.Store(h.cfg.Local)
	for _, o := range slices.Backward(h.hosts) {
		for _, f := range o.onStart {
			if err := f(h.runCtx); err != nil {
				h.tb.Fatalf("OnStart: %v", err)
			}
		}
	}
	h.tasks.Open(h.runCtx)
}

// Stop runs the stop of a channel: the OnDrain steps from the top down while
// the bottom still takes messages, then the bottom settles what it holds as not
// sent (channel.ErrClosed), and everything ends. When ctx ends, the context of
// the layers' goroutines ends too, as in a channel; without a deadline in ctx
// that is after 5 s. Stop waits for the end; a second Stop does nothing.
func (h *Harness) Stop(ctx context.Context) {
	h.stop.Do(func() {
		h.ice.thaw()
		if _, bounded := ctx.Deadline(); !bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, stopTimeout)
			defer cancel()
		}
		cut := context.AfterFunc(ctx, func() { h.endRun(channel.ErrClosed) })
		defer cut()
		for _, o := range h.hosts {
			for _, f := range o.onDrain {
				f(ctx)
			}
		}
		h.Bottom.close()
		h.endRun(channel.ErrClosed)
		h.tasks.Close()
		h.line.close()
	})
}

// Freeze holds up the timers and the events of the layers, as if the process
// were starved of CPU time; Thaw lets them go on. Goroutines are not stopped.
func (h *Harness) Freeze() { h.ice.freeze() }

// Thaw ends a Freeze.
func (h *Harness) Thaw() { h.ice.thaw() }

// SetProbe changes what answers Host.Probe from now on. Nil means success.
func (h *Harness) SetProbe(f ProbeFunc) {
	if f == nil {
		f = func(context.Context, *membership.Member, channel.Probe) error { return nil }
	}
	h.probing.Store(&f)
}

func (h *Harness) probe(ctx context.Context, m *membership.Member, p channel.Probe) error {
	return (*h.probing.Load())(ctx, m, p)
}

// Local returns the local member of the configuration.
func (h *Harness) Local() *membership.Member { return h.cfg.Local }

// Forgotten returns the members that layers gave to Host.Forget, in order.
func (h *Harness) Forgotten() []*membership.Member { return h.forgotten.list() }

// Flush waits until the events given so far, and what layers put in line with
// them, have been handled.
func (h *Harness) Flush() { h.line.flush() }

// newMessage is Host.NewMessage.
func (h *Harness) newMessage(size int) *message.Message {
	m := h.pool.New(size)
	m.ID = message.NewID()
	m.Source = h.cfg.Local
	m.Sent = time.Now().UnixMilli()
	return m
}

// memberList is a list for many goroutines.
type memberList struct {
	mu  sync.Mutex
	all []*membership.Member
}

func (l *memberList) add(m *membership.Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, m)
}

func (l *memberList) list() []*membership.Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}
