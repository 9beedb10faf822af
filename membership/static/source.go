package static

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
)

// source is where addresses come from: an address on the list, a host name, or
// the Resolver.
type source struct {
	what    string   // for logs
	resolve Resolver // nil for an address
	name    bool     // it is a host name
	id      membership.ID
	addrs   []netip.AddrPort // that it has now; guarded by Service.mu
}

// newSources are those of the checked Config.
func (s *Service) newSources() []*source {
	var all []*source
	for _, p := range s.cfg.Members {
		e, _ := p.entry() // checked
		src := &source{what: p.Addr, id: p.ID}
		if e.name == "" {
			src.addrs = []netip.AddrPort{e.addr}
		} else {
			src.name, src.resolve = true, LookupHost(net.DefaultResolver, e.name, int(e.port))
		}
		all = append(all, src)
	}
	if s.cfg.Resolver != nil {
		all = append(all, &source{what: "resolver", resolve: s.cfg.Resolver})
	}
	return all
}

// refresh keeps the addresses of a source up to date until the service stops.
func (s *Service) refresh(src *source) {
	if src.resolve == nil {
		return
	}
	for failures := 0; ; {
		err := s.look(src)
		switch {
		case err != nil && s.asking.Err() != nil:
			return
		case err != nil:
			failures++
			s.warn("look-up", src.what, "addresses cannot be looked up; the last answer stands", "addr", src.what, "err", err)
		case src.name && !s.answered(src):
			failures++
		default:
			failures = 0
		}
		pause := s.cfg.Refresh
		if failures > 0 {
			pause = min(growing(failures, s.cfg.MaxPause), pause)
		}
		select {
		case <-s.asking.Done():
			return
		case <-time.After(pause):
		}
	}
}

// look asks the source once.
func (s *Service) look(src *source) (err error) {
	ctx, cancel := context.WithTimeout(s.asking, max(s.cfg.Refresh, s.cfg.Timeout))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("tribes: static: resolver panicked: %v", p)
		}
	}()
	found, err := src.resolve.Resolve(ctx)
	if err != nil {
		return err
	}
	addrs := s.usable(src, found)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open() {
		src.addrs = addrs
		s.relist()
	}
	return nil
}

// usable are the addresses that can be dialled, in memory of their own.
func (s *Service) usable(src *source, found []netip.AddrPort) []netip.AddrPort {
	if most := s.limits.strangers; len(found) > most {
		s.warn("too many addresses", src.what, "too many addresses were found; the rest is left out", "addr", src.what, "found", len(found), "limit", most)
		found = found[:most]
	}
	addrs := make([]netip.AddrPort, 0, len(found))
	for _, a := range found {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if err := dialable(a); err != nil {
			s.warn("address", src.what, "an address that was found is left out", "addr", a, "err", err)
			continue
		}
		addrs = append(addrs, a)
	}
	return addrs
}

// answered reports whether there is a member at one of the addresses.
func (s *Service) answered(src *source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, addr := range src.addrs {
		if a := s.askers[addr]; a != nil && a.member != nil || addr == home(s.local) {
			return true
		}
	}
	return false
}

// relist begins to ask at addresses that are new on the list, and ends it at
// those that have vanished and where nobody answers. It is called with mu held.
func (s *Service) relist() {
	listed := make(map[netip.AddrPort]membership.ID)
	for _, src := range s.sources {
		for _, addr := range src.addrs {
			if id := listed[addr]; id.IsZero() {
				listed[addr] = src.id
			}
		}
	}
	for addr, id := range listed {
		a := s.askers[addr]
		if a == nil {
			a = s.begin(addr)
		}
		a.listed, a.id = true, id
	}
	for addr, a := range s.askers {
		if _, still := listed[addr]; !still {
			a.listed, a.id = false, membership.ID{}
			s.endIdle(a)
		}
	}
}
