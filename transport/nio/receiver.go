package nio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
)

// Receiver takes messages from other members by TCP and, if asked to, by UDP. It
// implements channel.Receiver. Several goroutines may use it.
//
// Messages of one connection are delivered one after the other, those of
// different connections at the same time; reading never waits for a delivery,
// except for room in the inbox of the connection itself. See docs/wire.md,
// Receiver, for what it answers to whom.
type Receiver struct {
	rxBatches
	cfg   ReceiverConfig
	env   channel.Env
	epoch time.Time

	listener net.Listener
	guarded  net.Listener // for TLS, nil without
	packets  net.PacketConn
	reactor  reactor
	secure   reactor      // of guarded, nil without TLS
	udp      *udpReceiver // nil without UDP

	duplicates *dupMemory // nil if off
	budget     *rxBudget
	workers    *rxWorkers
	slow       rxSlow
	count      receiverCounts
	lines      lineGate
	inboxFull  int64 // bytes at which a connection is not read any more
	inboxLow   int64 // and at which it is again

	ctx     context.Context // of deliveries
	endRun  context.CancelCauseFunc
	cutting atomic.Bool   // what is not delivered yet will not be
	quit    chan struct{} // closed to end the watch
	stopped chan struct{} // closed when Stop has ended

	closing   chan struct{}  // closed when nothing is accepted any more
	accepts   sync.WaitGroup // the accepting goroutines
	datagrams sync.WaitGroup // the goroutines for UDP
	live      sync.WaitGroup // connections
	pending   sync.WaitGroup // drainers
	watching  sync.WaitGroup
	flushers  sync.WaitGroup // of the watch

	mu      sync.Mutex
	state   receiverState
	conns   map[*rxConn]struct{}
	sources map[netip.Addr]int
}

type receiverState uint8

const (
	receiverIdle receiverState = iota
	receiverRuns
	receiverStops
)

var _ channel.Receiver = (*Receiver)(nil)

// NewReceiver checks cfg and returns a receiver that is not started. The error
// joins everything that is wrong.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		cfg:        cfg,
		epoch:      time.Now(),
		duplicates: newDupMemory(cfg.Duplicates),
		budget:     newRxBudget(&cfg),
		workers:    newRxWorkers(cfg.Workers),
		inboxFull:  int64(cfg.InboxBytes),
		inboxLow:   int64(cfg.InboxBytes / 2),
		closing:    make(chan struct{}),
		quit:       make(chan struct{}),
		stopped:    make(chan struct{}),
		conns:      make(map[*rxConn]struct{}),
		sources:    make(map[netip.Addr]int),
	}
	r.slow.wake = make(chan struct{}, 1)
	return r, nil
}

// Start implements channel.Receiver: it listens, and returns the address to tell
// to others with the ports that are really open. A listener or packet connection
// of the caller is closed if Start fails.
func (r *Receiver) Start(ctx context.Context, env channel.Env) (channel.Bound, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case receiverRuns:
		return channel.Bound{}, channel.ErrStarted
	case receiverStops:
		return channel.Bound{}, channel.ErrClosed
	}
	r.env = env
	r.ctx, r.endRun = context.WithCancelCause(context.Background())
	bound, err := r.listen(ctx)
	if err == nil {
		r.reactor, err = r.newReactor()
		if err != nil {
			err = closeAll(err, r.listener, r.guarded, r.packets)
		}
	}
	if err != nil {
		r.endRun(channel.ErrClosed)
		return channel.Bound{}, err
	}
	if r.guarded != nil {
		r.secure = newTLSReactor(r)
	}
	r.state = receiverRuns
	r.run()
	return bound, nil
}

// run starts what runs as long as the receiver does.
func (r *Receiver) run() {
	for _, p := range r.reactors() {
		r.accepts.Go(func() { r.acceptAll(p) }) // ends when its listener is closed
	}
	if r.packets != nil {
		r.udp = newUDPReceiver(r, r.packets)
		r.datagrams.Go(r.udp.read)    // ends after stopReading
		r.datagrams.Go(r.udp.deliver) // ends when read has, and all is delivered
	}
	r.watching.Go(r.watchAll) // ends when quit is closed
}

// newReactor returns the reactor for the configured poller.
func (r *Receiver) newReactor() (reactor, error) {
	if r.cfg.Poller == PollerEpoll {
		return newEpollReactor(r)
	}
	return &netReactor{r: r, listener: r.listener}, nil
}

// reactors returns that of each listener.
func (r *Receiver) reactors() []reactor {
	if r.secure == nil {
		return []reactor{r.reactor}
	}
	return []reactor{r.reactor, r.secure}
}

// now is the monotonic time in nanoseconds since shortly before the receiver was
// made. It is never 0, which stands for no time.
func (r *Receiver) now() int64 { return int64(time.Since(r.epoch)) + 1 }

// Stop implements channel.Receiver. What was received is delivered and answered
// until ctx ends; then connections are cut, so that senders learn that what was
// not answered is not certain. The error says so.
func (r *Receiver) Stop(ctx context.Context) error {
	r.mu.Lock()
	state := r.state
	r.state = receiverStops
	r.mu.Unlock()
	switch state {
	case receiverIdle:
		close(r.stopped)
		return nil
	case receiverStops:
		<-r.stopped
		return nil
	}
	defer close(r.stopped)
	close(r.closing)
	var errs []error
	for _, p := range r.reactors() {
		errs = append(errs, p.stopAccept())
	}
	if r.udp != nil {
		r.udp.stopReading()
	}
	r.accepts.Wait()
	for _, c := range r.connections() {
		c.sock.stopReading()
	}
	errs = append(errs, r.drain(ctx))
	close(r.quit)
	r.watching.Wait()
	r.flushers.Wait()
	r.endRun(channel.ErrClosed)
	if r.packets != nil {
		errs = append(errs, closeAll(nil, r.packets))
	}
	for _, p := range r.reactors() {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// drain waits until everything is delivered and answered; what has not been when
// ctx ends is cut off.
func (r *Receiver) drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // ends when everything has, which cutting brings about
		defer close(done)
		r.datagrams.Wait()
		r.live.Wait()
		r.pending.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	default:
	}
	r.cutting.Store(true)
	r.endRun(channel.ErrClosed)
	for _, c := range r.connections() {
		c.cut()
	}
	if r.udp != nil {
		r.udp.cut()
	}
	<-done
	return fmt.Errorf("tribes: receiver: stop: cut short, %d messages not delivered so far: %w",
		r.count.dropped.Load(), context.Cause(ctx))
}
