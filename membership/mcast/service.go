package mcast

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var (
	_ membership.Service  = (*Service)(nil)
	_ channel.Broadcaster = (*Service)(nil)
)

// Service is a membership by multicast. It implements membership.Service and
// channel.Broadcaster. All methods are safe for concurrent use.
type Service struct {
	cfg    Config
	table  membership.Table
	counts counters
	quiet  quiet
	env    membership.Env // set by Start, before anything runs
	upper  channel.Env    // set by Open, before Start
	logger atomic.Pointer[slog.Logger]

	local    atomic.Pointer[membership.Member]
	sock     atomic.Pointer[socket] // nil while there is none
	members  atomic.Int64           // in the table
	alive    aliveClock
	pulse    pulse
	inbox    inbox
	changed  chan struct{} // the local member is to be announced
	newcomer chan struct{} // a new member was heard and should hear us

	end       context.CancelFunc // of the two below; nil if Start has failed
	beating   sync.WaitGroup
	listening sync.WaitGroup

	mu    sync.Mutex
	state state
	begun chan struct{} // closed when Start has returned
	done  chan struct{} // closed when everything has ended
}

type state uint8

const (
	idle state = iota
	starting
	running
	stopping
	stopped
)

// New returns a service that is not started. The error joins everything that is
// wrong with cfg, which is copied.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg:      cfg,
		changed:  make(chan struct{}, 1),
		newcomer: make(chan struct{}, 1),
		begun:    make(chan struct{}),
		done:     make(chan struct{}),
	}
	s.table.Limit = cfg.MaxMembers
	s.inbox.limit = cfg.MaxQueue
	s.logger.Store(slog.New(slog.DiscardHandler))
	s.upper = channel.Env{Pool: new(message.Pool), Trace: new(channel.Trace).WithDefaults()}
	return s, nil
}

// Config returns the settings in force, with defaults filled in.
func (s *Service) Config() Config { return s.cfg }

// Open implements channel.Broadcaster: it says where messages go. The channel
// calls it before Start; without it no messages are delivered.
func (s *Service) Open(env channel.Env) { s.upper = env }

// Start implements membership.Service: it opens the socket, announces the local
// member and begins to listen. An error names the interface or address that
// could not be used; then nothing is running. A service that was started or
// stopped before is not started again: channel.ErrStarted, channel.ErrClosed.
func (s *Service) Start(ctx context.Context, env membership.Env) error {
	if err := s.enter(); err != nil {
		return err
	}
	err := s.start(ctx, env)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.begun)
	if s.state != starting {
		return err // a Stop waits and ends what there is
	}
	if s.state = running; err != nil {
		s.state = stopped
		close(s.done)
	}
	return err
}

func (s *Service) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case idle:
		s.state = starting
		return nil
	case stopping, stopped:
		return channel.ErrClosed
	}
	return channel.ErrStarted
}

func (s *Service) start(ctx context.Context, env membership.Env) error {
	if ctx.Err() != nil {
		return fmt.Errorf("tribes: mcast: start: %w", context.Cause(ctx))
	}
	s.env = env
	s.logger.Store(env.Logger)
	s.local.Store(env.Local)
	s.alive.start(env.Local.Attributes().Alive)
	s.pulse.start(s.cfg.DropTime)
	sock, err := s.open(ctx)
	if err != nil {
		return err
	}
	s.sock.Store(sock)
	env.Logger.Info("multicast membership started", "addr", s.cfg.group(), "interface", sock.iface, "member", env.Local)
	run, end := context.WithCancel(context.Background())
	s.end = end
	if s.delivers() {
		s.inbox.run(s.upper, &s.counts)
	}
	s.listening.Go(func() { s.listen(run, sock) }) // ends with run and the socket
	s.beating.Go(func() { s.beat(run) })           // ends with run
	return nil
}

// delivers reports whether messages are delivered.
func (s *Service) delivers() bool { return s.cfg.Messages != NoMessages && s.upper.Deliver != nil }

// View implements membership.Service. After Stop it is what was known last.
func (s *Service) View() *membership.View { return s.table.View() }

// Update implements membership.Service: what local tells about itself is sent at
// once, at most every 50 ms, and with each heartbeat from then on. A member with
// another key is refused, with a log line. The alive time is not taken over; the
// service has a clock of its own.
func (s *Service) Update(local *membership.Member) {
	if !s.replaceLocal(local) {
		s.logger.Load().Error("the description of another member cannot be announced", "member", local)
	}
}

// replaceLocal reports false if local is not the local member. It does nothing
// while the service is not running.
func (s *Service) replaceLocal(local *membership.Member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.local.Load()
	if old == nil || s.state != starting && s.state != running {
		return true
	}
	if old.Key() != local.Key() {
		return false
	}
	s.local.Store(local)
	signal(s.changed)
	return true
}

// signal wakes whoever reads c. One signal is enough for several reasons.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Stop implements membership.Service: it says goodbye, closes the socket and
// waits for everything that was started. Messages that wait are still delivered
// until ctx ends; the error is then its cause, and a delivery that is under way
// ends by itself. The goodbye is said even if ctx has ended before, which takes 100 ms at
// most.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	was := s.state
	switch was {
	case idle:
		s.state = stopped
		close(s.done)
	case starting, running:
		s.state = stopping
	}
	s.mu.Unlock()
	if was == starting || was == running {
		<-s.begun // Start waits for nobody
		return s.stop(ctx)
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Service) stop(ctx context.Context) error {
	var err error
	if s.end != nil {
		goodbye, cancel := timeFor(ctx)
		defer cancel()
		cut := context.AfterFunc(goodbye, func() { s.giveUp(context.Cause(goodbye)) })
		defer cut()
		s.end()
		s.beating.Wait() // so that no heartbeat follows the goodbye
		s.sayGoodbye()
		s.giveUp(channel.ErrClosed)
		s.listening.Wait()
		err = s.inbox.close(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = stopped
	close(s.done)
	return err
}

// lastWord is the time for a goodbye where the stop has none left.
const lastWord = 100 * time.Millisecond

// timeFor is ctx, or a short time if it has ended: without a goodbye the others would wait
// for us until the drop time.
func timeFor(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(context.WithoutCancel(ctx), lastWord, context.Cause(ctx))
}

// giveUp closes the socket if there is one.
func (s *Service) giveUp(cause error) {
	if sock := s.sock.Load(); sock != nil {
		sock.giveUp(cause)
	}
}
