package channel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/internal/tasks"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Channel is one member of a group: it sees the others come and go and
// exchanges messages with them. All methods are safe for concurrent use, and
// may be called inside every callback.
type Channel struct {
	cfg         Config
	pool        message.Pool
	receipts    sync.Pool
	broadcaster Broadcaster
	down        Down // of the top layer
	up          Up   // of the bottom layer
	layers      []*host
	guards      []func(*message.Message) error // each must let a message pass
	caps        message.Caps                   // what answers tell of this member
	known       knownCaps                      // what they tell of others

	local    atomic.Pointer[membership.Member]
	localMu  sync.Mutex // guards changes of local
	started  time.Time
	opened   chan struct{} // closed when messages may be delivered
	runCtx   context.Context
	endRun   context.CancelCauseFunc
	tasks    tasks.Tasks // of layers
	events   serial      // membership events and what layers put in line with them
	watchers watchers
	agreed   agreement

	completions serial     // callbacks of Post
	lateMu      sync.Mutex // held in those that come when completions have ended
	postings    sync.Pool
	sendWatch   stopwatch // for Trace.MessageSent
	listenWatch stopwatch // for Trace.MessageReceived
	posted      postedCalls
	watchdog    watchdog
	listeners   listeners
	counters    counters

	open  atomic.Bool // messages may be sent: the state is running, or the layers have started
	mu    sync.Mutex
	state state
	halt  context.CancelCauseFunc // ends the start; nil before it
	begun chan struct{}           // closed when the start has ended
	done  chan struct{}           // closed when the stop has ended
	cut   error                   // what was cut off; read when done is closed
}

type state uint8

const (
	idle state = iota
	starting
	running
	stopping
	stopped
)

// New checks cfg, binds the layers, checks that they can work together (see
// [Checked]) and returns a channel that is not started. The error joins everything
// that is wrong.
func New(cfg Config) (*Channel, error) {
	told := cfg.Trace // before the functions that nobody gave are filled in
	cfg, err := cfg.withDefaults()
	cfg.Interceptors = slices.Clone(cfg.Interceptors)
	c := &Channel{
		cfg:    cfg,
		opened: make(chan struct{}),
		begun:  make(chan struct{}),
		done:   make(chan struct{}),
	}
	c.sendWatch = stopwatch{cfg.Logger, told != nil && told.MessageSent != nil}
	c.listenWatch = stopwatch{cfg.Logger, told != nil && told.MessageReceived != nil}
	ctx := context.WithValue(context.Background(), insideKey{}, c)
	c.runCtx, c.endRun = context.WithCancelCause(ctx)
	c.posted.guard = c.watchdog.guard(&c.posted, 1)
	if cfg.StuckAfter > 0 {
		c.tasks.Start(func(ctx context.Context) { c.watch(ctx, cfg.StuckAfter) })
	}
	c.broadcaster = findBroadcaster(cfg.Membership)
	if err := errors.Join(err, c.bind(), cfg.checkStack()); err != nil {
		c.endRun(ErrClosed)
		return nil, err
	}
	return c, nil
}

// bind joins the layers to one stack: downward flows from the bottom up,
// upward flows from the top down.
func (c *Channel) bind() error {
	var errs []error
	c.down = Down{Send: c.sendBottom, View: c.viewBottom}
	c.layers = make([]*host, len(c.cfg.Interceptors))
	for i, layer := range slices.Backward(c.cfg.Interceptors) {
		if layer == nil {
			continue // withDefaults has said so
		}
		c.layers[i] = newHost(c, layer)
		below, err := layer.BindDown(c.layers[i], c.down)
		if err != nil {
			errs = append(errs, fmt.Errorf("tribes: channel: layer %s: %w", layerName(layer), err))
			continue
		}
		c.down = below
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	c.up = Up{Receive: c.deliver, Event: c.announce, Fault: func(*membership.Member, message.ID, error) {}, View: c.agree}
	for _, layer := range c.cfg.Interceptors {
		if layer == nil {
			continue
		}
		views := c.up.View
		c.up = layer.BindUp(c.up)
		if c.up.View == nil {
			c.up.View = views
		}
	}
	return nil
}

// Start runs the channel: first the receiver, so that the local member has its
// port, then the sender, the layers and the membership. When it returns, the
// local member is announced; others become known as they answer (see
// WaitMembers). ctx bounds the start alone. After an error everything that was
// begun is ended and the channel is closed. A Stop or Close during Start makes it
// fail with ErrClosed, unless a part failed before.
func (c *Channel) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := c.enter(cancel); err != nil {
		return err
	}
	c.started = time.Now()
	c.events.run()
	c.completions.run()
	err := c.startParts(ctx)
	c.mu.Lock()
	switch {
	case err != nil:
	case c.state == starting:
		c.state = running
	default:
		err = ErrClosed
	}
	c.mu.Unlock()
	close(c.begun)
	if err != nil {
		c.Close()
		<-c.done
		return err
	}
	return nil
}

func (c *Channel) enter(halt context.CancelCauseFunc) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case idle:
		c.state, c.halt = starting, halt
		return nil
	case stopping, stopped:
		return ErrClosed
	}
	return ErrStarted
}

// startParts starts everything from the bottom of the data flow up to the
// announcement. Each step is undone by the stop, which knows what to end.
func (c *Channel) startParts(ctx context.Context) error {
	bound := Bound{Host: c.cfg.Local.Host, Port: c.cfg.Local.Port,
		SecurePort: c.cfg.Local.SecurePort, UDPPort: c.cfg.Local.UDPPort}
	if c.cfg.Services.Has(ReceiveData) {
		var err error
		if bound, err = c.cfg.Receiver.Start(ctx, c.env(c.deliverBottom, nil)); err != nil {
			return err
		}
	}
	if err := c.setLocal(bound); err != nil {
		return err
	}
	if c.cfg.Services.Has(SendData) {
		if err := c.cfg.Sender.Start(ctx, c.senderEnv()); err != nil {
			return err
		}
	}
	for _, h := range slices.Backward(c.layers) {
		for _, f := range h.onStart {
			if err := f(ctx); err != nil {
				return fmt.Errorf("tribes: channel: layer %s: %w", h.name, err)
			}
		}
		h.started = true
	}
	c.allowSends()
	c.tasks.Open(c.runCtx)
	close(c.opened)
	return c.startMembership(ctx)
}

// allowSends lets messages be sent, unless the channel is being stopped.
func (c *Channel) allowSends() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open.Store(c.state == starting)
}

func (c *Channel) env(deliver ReceiveFunc, fault FaultFunc) Env {
	return Env{Local: c.local.Load, Deliver: deliver, Fault: fault, Caps: c.caps,
		Pool: &c.pool, Logger: c.cfg.Logger, Trace: c.cfg.Trace}
}

func (c *Channel) senderEnv() Env {
	env := c.env(nil, c.up.Fault)
	env.Learned = c.known.learn
	return env
}

func (c *Channel) startMembership(ctx context.Context) error {
	listen, announce := c.cfg.Services.Has(ReceiveMembers), c.cfg.Services.Has(SendMembers)
	if c.cfg.Membership == nil || !listen && !announce {
		return nil
	}
	if c.broadcaster != nil {
		c.broadcaster.Open(c.env(c.deliverBottom, nil))
	}
	local := c.local.Load()
	err := c.cfg.Membership.Start(ctx, membership.Env{
		Local:    local,
		Notify:   c.notify,
		Listen:   listen,
		Announce: announce,
		Logger:   c.cfg.Logger,
	})
	if err != nil {
		return err
	}
	c.localMu.Lock()
	defer c.localMu.Unlock()
	if now := c.local.Load(); now != local && announce {
		c.cfg.Membership.Update(now) // what UpdateLocal said to a service that was not running
	}
	return nil
}

func (c *Channel) setLocal(b Bound) error {
	a := c.cfg.Local
	a.Host, a.Port, a.SecurePort, a.UDPPort = b.Host, b.Port, b.SecurePort, b.UDPPort
	if a.ID.IsZero() {
		a.ID = membership.NewID()
	}
	m, err := membership.New(a)
	if err == nil {
		c.local.Store(m)
	}
	return err
}

// Local returns the local member, nil before the channel has started.
func (c *Channel) Local() *membership.Member { return c.local.Load() }

// Name returns the name that the channel was given.
func (c *Channel) Name() string { return c.cfg.Name }

// UpdateLocal changes what the local member tells about itself and announces
// it at once. Only Domain, Payload and Command may change; each has at most
// membership.MaxPart bytes, and what is too large is an error that changes
// nothing. So are ErrNotStarted and ErrClosed.
func (c *Channel) UpdateLocal(change func(*membership.Attributes)) error {
	c.localMu.Lock()
	defer c.localMu.Unlock()
	if err := c.usable(); err != nil {
		return err
	}
	m, err := c.local.Load().With(func(a *membership.Attributes) {
		n := *a
		change(&n)
		a.Domain, a.Payload, a.Command = n.Domain, n.Payload, n.Command
		a.Alive = time.Since(c.started).Milliseconds()
	})
	if err != nil {
		return err
	}
	c.local.Store(m)
	if c.cfg.Membership != nil && c.cfg.Services.Has(SendMembers) {
		c.cfg.Membership.Update(m)
	}
	return nil
}

// usable returns why the channel cannot be used, nil if it can.
func (c *Channel) usable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case idle, starting:
		if c.local.Load() == nil {
			return ErrNotStarted
		}
	case stopping, stopped:
		return ErrClosed
	}
	return nil
}
