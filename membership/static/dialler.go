package static

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// firstPause is the pause after the first failed try of an address; each
// further one doubles it.
const firstPause = 100 * time.Millisecond

// dial starts the dialler of an address, if it has none. Called with mu held.
func (s *Service) dial(p Peer) {
	if s.diallers[p.Addr] != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.diallers[p.Addr] = cancel
	s.tasks.Go(func() { s.keepAsking(ctx, p) }) // ends with ctx
}

// keepAsking asks the member at one address for as long as ctx lasts.
func (s *Service) keepAsking(ctx context.Context, p Peer) {
	failures := 0
	for {
		if s.ask(ctx, p) {
			failures = 0
		} else {
			failures++
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.pause(failures)):
		}
	}
}

// pause is the time until the next question, with up to a tenth of jitter.
func (s *Service) pause(failures int) time.Duration {
	d := s.cfg.Ping
	if failures > 0 {
		d = min(firstPause<<min(failures-1, 16), s.cfg.MaxPause)
	}
	return d - rand.N(d/10+1)
}

// ask puts one question to whoever is at the address, and reports whether it
// was answered.
func (s *Service) ask(ctx context.Context, p Peer) bool {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	addr, err := s.address(ctx, p.Addr)
	if err != nil || addr == s.here() {
		return err == nil
	}
	m, known, err := s.target(addr, p)
	if err != nil {
		s.env.Logger.Warn("static member cannot be dialled", "addr", p.Addr, "err", err)
		return false
	}
	answer, err := s.call(ctx, m, known)
	if err != nil {
		s.env.Logger.Debug("static member does not answer", "addr", p.Addr, "err", err)
		return false
	}
	if !p.ID.IsZero() && answer.ID() != p.ID {
		s.env.Logger.Warn("static member has another id than configured", "addr", p.Addr, "member", answer)
		return false
	}
	if !known && m.Key() != answer.Key() {
		s.host.Forget(m) // the links of the stand-in
	}
	s.reached(addr, answer)
	return true
}

func (s *Service) here() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local.AddrPort()
}

// address looks the host up if it is a name.
func (s *Service) address(ctx context.Context, hostPort string) (netip.AddrPort, error) {
	if ap, err := netip.ParseAddrPort(hostPort); err == nil {
		return ap, nil
	}
	host, port := cutPort(hostPort)
	found, err := lookup(ctx, resolver(nil), host, int(port))
	if err != nil {
		return netip.AddrPort{}, err
	}
	return found[rand.N(len(found))], nil
}

// target is the member that answered last at an address, if it is still there;
// else a stand-in with the configured id, which may be none.
func (s *Service) target(addr netip.AddrPort, p Peer) (m *membership.Member, known bool, err error) {
	s.mu.Lock()
	last := s.answered[addr]
	if last != nil && s.View().Find(last.Key()) == nil {
		delete(s.answered, addr)
		last = nil
	}
	s.mu.Unlock()
	if last != nil {
		return last, true, nil
	}
	m, err = membership.New(membership.Attributes{Host: addr.Addr(), Port: int(addr.Port()),
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: p.ID})
	return m, false, err
}

// resolve keeps the diallers in step with what the resolver finds.
func (s *Service) resolve() {
	t := time.NewTicker(s.cfg.Refresh)
	defer t.Stop()
	for {
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Refresh)
		found, err := s.cfg.Resolver.Resolve(ctx)
		cancel()
		if err != nil {
			s.env.Logger.Warn("resolver failed; its last answer stands", "err", err)
		} else {
			s.redial(found)
		}
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
	}
}

// redial starts diallers for new addresses and ends those of addresses that
// are no longer found and where nobody answers.
func (s *Service) redial(found []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := make(map[string]bool)
	for _, p := range s.cfg.Members {
		keep[p.Addr] = true
	}
	for _, a := range found {
		keep[a.String()] = true
		s.dial(Peer{Addr: a.String()})
	}
	for _, m := range s.View().Members {
		keep[m.AddrPort().String()] = true
	}
	for addr, cancel := range s.diallers {
		if !keep[addr] {
			cancel()
			delete(s.diallers, addr)
		}
	}
}

// announce sends the local member to everybody known, without waiting for
// answers.
func (s *Service) announce(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.active() {
		return
	}
	for _, m := range s.View().Members {
		s.tasks.Go(func() { // ends with ctx, or after Timeout
			ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
			defer cancel()
			if answer, err := s.call(ctx, m, true); err == nil {
				s.heard(answer)
			}
		})
	}
}

// goodbye tells all members that the local one leaves, and waits until the
// words are out or ctx ends.
func (s *Service) goodbye(ctx context.Context) error {
	to := s.View().Members
	if len(to) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	m, err := s.stopMessage()
	if err != nil {
		return err
	}
	defer m.Release()
	r := message.NewReceipt(len(to), nil)
	if err := s.send(ctx, to, m, r); err != nil {
		return err
	}
	select {
	case <-r.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
