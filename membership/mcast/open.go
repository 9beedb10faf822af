package mcast

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
)

func (s *Service) opener() opener {
	return opener{cfg: &s.cfg, listen: s.env.Listen, local: s.env.Local.Host().Unmap()}
}

// open makes the first socket and sends the first heartbeat on it, which shows
// that it can be used.
func (s *Service) open(ctx context.Context) (*socket, error) {
	o := s.opener()
	if s.cfg.Open != nil {
		sock, err := o.custom(ctx)
		if err != nil {
			return nil, err
		}
		return s.try(sock)
	}
	found, err := o.candidates(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for i := range found {
		sock, err := o.system(ctx, &found[i])
		if err == nil {
			sock, err = s.try(sock)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s.cfg.Interface == "" && found[i].Flags&net.FlagLoopback != 0 {
			s.env.Logger.Info("multicast uses the loopback interface, which reaches only this machine", "interface", sock.iface)
		}
		return sock, nil
	}
	return nil, errors.Join(errs...)
}

func (s *Service) try(sock *socket) (*socket, error) {
	s.counts.opened.Add(1)
	if err := s.announce(sock); err != nil {
		sock.giveUp(err)
		return nil, fmt.Errorf("tribes: mcast: first heartbeat to %s: %w", sock.group, err)
	}
	return sock, nil
}

// reopen makes another socket in place of one that failed, on the interface of
// the same name.
func (s *Service) reopen(ctx context.Context, iface string) (*socket, error) {
	o := s.opener()
	if s.cfg.Open != nil {
		return o.custom(ctx)
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("tribes: mcast: list interfaces: %w", err)
	}
	at := slices.IndexFunc(all, func(ifi net.Interface) bool { return ifi.Name == iface })
	if at < 0 {
		return nil, fmt.Errorf("tribes: mcast: interface %s: not there", iface)
	}
	return o.system(ctx, &all[at])
}
