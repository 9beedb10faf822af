package static

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/membership"
)

// Service is a membership by a list of addresses. It is both a
// membership.Service and a layer of the channel that it serves.
type Service struct {
	cfg   Config
	id    []byte // of the membership
	mark  []byte // the id as all messages of the membership have it, behind its length
	host  channel.Host
	send  channel.SendFunc
	lines hush.Hush[string] // of the log

	ctx    context.Context // of all that Start starts
	cancel context.CancelFunc
	tasks  sync.WaitGroup // grows with mu held while the service is active
	ended  chan struct{}  // closed when the first Stop has ended

	asking     context.Context // of those who ask, a part of ctx
	stopAsking context.CancelFunc
	asks       sync.WaitGroup // grows with mu held while the service is open
	lookups    sync.WaitGroup // likewise; what runs code of others

	clock  clock
	heard  signs
	news   news
	table  membership.Table // grows and shrinks with mu held
	limits limits

	mu        sync.Mutex // guards what follows
	env       membership.Env
	local     *membership.Member
	started   time.Time
	running   bool
	closing   bool // nobody is asked or taken any more
	stopped   bool
	sources   []*source
	askers    map[netip.AddrPort]*asker // each member of the table has one, at its address
	strangers map[membership.Key]*stranger
	checking  int // strangers that are being asked now
	answering int // questions that are being answered now
	departed  map[membership.Key]time.Time
	calls     map[callID]chan<- answer
}

// limits bound what strangers can make the service keep and do.
type limits struct {
	strangers int // that are remembered, and goodbyes
	checking  int // that are asked back at a time
	answering int // questions that are answered at a time
}

var defaultLimits = limits{strangers: membership.DefaultTableLimit, checking: 256, answering: 256}

var (
	_ membership.Service  = (*Service)(nil)
	_ channel.Interceptor = (*Service)(nil)
)

// logSources is how many sources of lines in the log are told apart.
const logSources = 32

// New checks cfg and returns a service that is not started.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	id := cfg.membershipID()
	s := &Service{
		cfg:       cfg,
		id:        id,
		mark:      mark(id),
		ended:     make(chan struct{}),
		limits:    defaultLimits,
		lines:     hush.Hush[string]{Max: logSources},
		askers:    make(map[netip.AddrPort]*asker),
		strangers: make(map[membership.Key]*stranger),
		departed:  make(map[membership.Key]time.Time),
		calls:     make(map[callID]chan<- answer),
	}
	s.news.wake = make(chan struct{}, 1)
	s.sources = s.newSources()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.asking, s.stopAsking = context.WithCancel(s.ctx)
	return s, nil
}

// View implements membership.Service.
func (s *Service) View() *membership.View { return s.table.View() }

// Start implements membership.Service. It needs the service to be a layer of
// the channel.
//
// A question is an announcement too in Tribes. Without Env.Announce the service
// asks and does not answer: members of this module then do not take the local
// member, Java nodes do. Without Env.Listen it asks and answers, and takes
// nobody.
func (s *Service) Start(ctx context.Context, env membership.Env) error {
	if s.host == nil {
		return errors.New("tribes: static: start: the service is not a layer of the channel")
	}
	if ctx.Err() != nil {
		return fmt.Errorf("tribes: static: start: %w", context.Cause(ctx))
	}
	if err := s.cfg.reachable(env); err != nil {
		return fmt.Errorf("tribes: static: start: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running || s.closing {
		return errors.New("tribes: static: start: already started or stopped")
	}
	now := time.Now()
	s.env, s.local, s.started, s.running = env, env.Local, now, true
	s.clock.expect(now)
	s.relist()
	for _, src := range s.sources {
		s.lookups.Go(func() { s.refresh(src) }) // ends with s.asking
	}
	s.tasks.Go(s.watch)    // ends with s.ctx
	s.tasks.Go(s.announce) // ends with s.ctx
	return nil
}

// Update implements membership.Service. The new description travels with the
// next question to each member, which is asked at once.
func (s *Service) Update(local *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local = local
	if !s.env.Announce {
		return
	}
	for _, a := range s.askers {
		if a.member != nil {
			a.hurry()
		}
	}
}

// drain ends the asking, before the layers below wait for what is on its way: a
// question to an address that swallows it would hold them up until they have no
// time left for the goodbye. Members are answered still.
func (s *Service) drain(context.Context) {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.stopAsking()
	s.asks.Wait() // not for long, as they heed s.asking
}

// Stop implements membership.Service. It tells goodbye to the members and to
// whoever else may have taken the local member for one, even if ctx has ended before,
// for 100 ms at most.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	first, running := !s.stopped, s.running
	s.stopped, s.closing = true, true
	s.mu.Unlock()
	if !first {
		select {
		case <-s.ended:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer close(s.ended)
	s.cancel()
	s.asks.Wait()
	s.tasks.Wait() // so that the goodbye is the last word
	var err error
	if running && s.env.Announce {
		err = s.goodbye(ctx)
	}
	s.lookups.Wait()
	return err
}

// active reports whether the service takes part. It is called with mu held.
func (s *Service) active() bool { return s.running && !s.stopped }

// open reports whether the service looks for members. It is called with mu held.
func (s *Service) open() bool { return s.running && !s.closing }

// home is where a member can be reached, in the form in which addresses are
// compared.
func home(m *membership.Member) netip.AddrPort {
	return netip.AddrPortFrom(m.Host().Unmap(), uint16(m.Port()))
}
