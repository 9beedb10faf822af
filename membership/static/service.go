package static

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// Service is a membership by a list of addresses. It is both a
// membership.Service and a layer of the channel that it serves.
type Service struct {
	cfg  Config
	id   []byte // of the membership
	host channel.Host
	send channel.SendFunc

	mu       sync.Mutex // guards what follows, and keeps notifications in order
	env      membership.Env
	local    *membership.Member
	started  time.Time
	running  bool
	stopped  bool
	table    membership.Table
	answered map[netip.AddrPort]*membership.Member // who answered last, by dialled address
	diallers map[string]context.CancelFunc
	calls    map[callID]chan<- *membership.Member

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

var (
	_ membership.Service  = (*Service)(nil)
	_ channel.Interceptor = (*Service)(nil)
)

// New checks cfg and returns a service that is not started.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg:      cfg,
		id:       cfg.membershipID(),
		answered: make(map[netip.AddrPort]*membership.Member),
		diallers: make(map[string]context.CancelFunc),
		calls:    make(map[callID]chan<- *membership.Member),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// View implements membership.Service.
func (s *Service) View() *membership.View { return s.table.View() }

// Start implements membership.Service. It needs the service to be a layer of
// the channel. Without Env.Listen it answers nobody and dials nobody; the
// messages of a static membership are at once announcement and question, so
// Env.Announce alone dials too but keeps no members.
func (s *Service) Start(_ context.Context, env membership.Env) error {
	if s.host == nil {
		return fmt.Errorf("tribes: static: the service is not a layer of the channel")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running || s.stopped {
		return fmt.Errorf("tribes: static: started before")
	}
	s.env, s.local, s.started, s.running = env, env.Local, time.Now(), true
	for _, p := range s.cfg.Members {
		s.dial(p)
	}
	s.tasks.Go(s.expire) // ends with s.ctx
	if s.cfg.Resolver != nil {
		s.tasks.Go(s.resolve) // ends with s.ctx
	}
	return nil
}

// Update implements membership.Service. The new description travels with the
// next question to each member, which is asked at once.
func (s *Service) Update(local *membership.Member) {
	s.mu.Lock()
	s.local = local
	s.mu.Unlock()
	s.announce(s.ctx)
}

// Stop implements membership.Service: it tells the members goodbye.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	running := s.running && !s.stopped
	s.stopped = true
	s.mu.Unlock()
	s.cancel()
	s.tasks.Wait()
	if !running {
		return nil
	}
	return s.goodbye(ctx)
}

// active reports whether the service takes part. It is called with mu held.
func (s *Service) active() bool { return s.running && !s.stopped }

// expire drops members that were silent for too long.
func (s *Service) expire() {
	t := time.NewTicker(s.cfg.Ping / 2)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		if late := now.Sub(last); late > s.cfg.Expiration/2 {
			// This process did not run, so it could not hear anybody either.
			s.forgive(late)
		}
		last = now
		s.mu.Lock()
		for _, ev := range s.table.Expire(now, s.cfg.Expiration) {
			s.notify(ev)
		}
		s.mu.Unlock()
	}
}

// forgive counts a pause of this process as a sign of life of everybody.
func (s *Service) forgive(pause time.Duration) {
	s.env.Logger.Warn("process was paused; members get more time", "pause", pause)
	now := time.Now()
	for _, m := range s.View().Members {
		s.table.Alive(m.Key(), now)
	}
}

// notify passes an event on. It is called with mu held, so events are serial.
func (s *Service) notify(ev membership.Event) {
	if !s.stopped {
		s.env.Notify(ev)
	}
}

// heard notes a sign of life of m.
func (s *Service) heard(m *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(m, time.Now())
}

// reached notes that m answered a question put to addr. If somebody else
// answered there before, that process is gone: it was restarted.
func (s *Service) reached(addr netip.AddrPort, m *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if old := s.answered[addr]; old != nil && old.Key() != m.Key() && s.active() {
		if ev, was := s.table.Remove(membership.Failed, old, now); was {
			s.notify(ev)
		}
	}
	if s.note(m, now) {
		s.answered[addr] = m
	}
}

// note enters m in the table and reports whether it is there. It is called with
// mu held.
func (s *Service) note(m *membership.Member, now time.Time) bool {
	if !s.active() || !s.env.Listen || !m.Dialable() || m.Key() == s.local.Key() {
		return false
	}
	ev, changed, err := s.table.Heard(m, now)
	if err != nil {
		s.env.Logger.Warn("member not taken", "member", m, "err", err)
		return false
	}
	if changed {
		s.notify(ev)
	}
	return true
}

// left notes a goodbye.
func (s *Service) left(m *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.active() {
		return
	}
	if ev, was := s.table.Remove(membership.Left, m, time.Now()); was {
		s.notify(ev)
	}
}

// now is the local member with its present age.
func (s *Service) now() (*membership.Member, error) {
	s.mu.Lock()
	local, started := s.local, s.started
	s.mu.Unlock()
	return local.With(func(a *membership.Attributes) { a.Alive = time.Since(started).Milliseconds() })
}
