package membershiptest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

const (
	beat = 10 * time.Millisecond
	drop = 200 * time.Millisecond
)

// bus carries member images between the services of one group.
type bus struct {
	mu       sync.Mutex
	services map[*service]bool
}

func (b *bus) attach(s *service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.services == nil {
		b.services = make(map[*service]bool)
	}
	b.services[s] = true
}

func (b *bus) detach(s *service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.services, s)
}

func (b *bus) send(image []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.services {
		select {
		case s.inbox <- image:
		default: // lost, as a datagram is
		}
	}
}

// service is a membership.Service on a bus: it announces itself every beat.
type service struct {
	bus    *bus
	broken bool
	early  *membership.Member // of a mutant
	inbox  chan []byte
	quit   chan struct{}
	table  membership.Table
	wg     sync.WaitGroup

	life sync.Mutex // held during Start and Stop

	mu      sync.Mutex
	env     membership.Env
	local   *membership.Member
	begin   time.Time
	running bool
	stopped bool
	silent  bool // killed
}

func (b *bus) service() *service {
	return &service{bus: b, inbox: make(chan []byte, 64), quit: make(chan struct{})}
}

func (s *service) Start(ctx context.Context, env membership.Env) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.broken {
		return errors.New("bus: broken")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.running {
		return errors.New("bus: started twice or after the stop")
	}
	s.env, s.local, s.begin, s.running = env, env.Local, time.Now(), true
	if env.Listen {
		s.bus.attach(s)
	}
	s.wg.Go(s.loop) // ends when quit is closed
	return nil
}

func (s *service) loop() {
	t := time.NewTicker(beat)
	defer t.Stop()
	s.announce("")
	for {
		select {
		case <-s.quit:
			return
		case image := <-s.inbox:
			s.hear(image)
		case now := <-t.C:
			s.announce("")
			for _, ev := range s.table.Expire(now, drop) {
				s.env.Notify(ev)
			}
		}
	}
}

func (s *service) announce(command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent || !s.running || !s.env.Announce {
		return
	}
	alive := time.Since(s.begin).Milliseconds()
	m := s.local
	if command != "" {
		m, _ = m.With(func(a *membership.Attributes) { a.Command = command })
	}
	s.bus.send(m.AppendImage(nil, alive))
}

func (s *service) hear(image []byte) {
	m, _, err := membership.Decode(image)
	if err != nil || m.Key() == s.env.Local.Key() {
		return
	}
	if m.Leaving() {
		if ev, ok := s.table.Remove(membership.Left, m, time.Now()); ok {
			s.env.Notify(ev)
		}
		return
	}
	ev, ok, _ := s.table.Heard(m, time.Now())
	if !ok {
		return
	}
	if ev.Kind == membership.Joined {
		s.announce("")
	}
	s.env.Notify(ev)
}

func (s *service) View() *membership.View { return s.table.View() }

func (s *service) Update(local *membership.Member) {
	s.mu.Lock()
	s.local = local
	s.mu.Unlock()
	s.announce("")
}

func (s *service) Stop(context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	s.announce(membership.LeaveCommand)
	s.end()
	return nil
}

func (s *service) end() {
	s.mu.Lock()
	first := !s.stopped
	s.stopped, s.running = true, false
	s.mu.Unlock()
	if !first {
		return
	}
	s.bus.detach(s)
	close(s.quit)
	s.wg.Wait()
}

func (s *service) kill() {
	s.mu.Lock()
	s.silent = true
	s.mu.Unlock()
	s.end()
}

// newNode makes node i of the group on b.
func (b *bus) newNode(t testing.TB, i int) Node {
	s := b.service()
	return Node{Local: newLocal(t, i), Service: s, Kill: s.kill}
}

func newLocal(t testing.TB, i int) *membership.Member {
	t.Helper()
	m, err := membership.New(membership.Attributes{
		Host: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Port: 4000,
		SecurePort: membership.NoPort, UDPPort: 4001 + i,
		Domain: "a domain", Payload: fmt.Sprintf("payload %d", i), ID: membership.NewID(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newGroup makes a group on a bus of its own.
func newGroup(t testing.TB) *Group {
	b := new(bus)
	return &Group{
		Node: func(i int) Node { return b.newNode(t, i) },
		Broken: func() Node {
			n := b.newNode(t, 1)
			n.Service.(*service).broken = true
			return n
		},
		FailWithin: drop + 3*time.Second,
	}
}
