package static

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
)

// Resolver finds the addresses of members. It is called from one goroutine at
// a time. ctx ends after Config.Refresh or Timeout, whichever is longer, and when
// the service stops; the resolver must heed it, as the stop waits. A nil error
// means that the answer is complete, even if it is empty; the service borrows the
// slice until the next call.
type Resolver interface {
	// Resolve returns the addresses that it finds now. It must return when ctx
	// ends; with an error its last answer stands.
	Resolve(ctx context.Context) ([]netip.AddrPort, error)
}

// ResolverFunc is a function as a [Resolver].
type ResolverFunc func(ctx context.Context) ([]netip.AddrPort, error)

// Resolve implements [Resolver].
func (f ResolverFunc) Resolve(ctx context.Context) ([]netip.AddrPort, error) { return f(ctx) }

// LookupHost finds a member on port at every address of a host name (A and AAAA
// records), which is what a headless service in a cloud offers. A nil r means
// net.DefaultResolver. The result is safe for concurrent use.
func LookupHost(r *net.Resolver, name string, port int) Resolver {
	r = cmp.Or(r, net.DefaultResolver)
	return ResolverFunc(func(ctx context.Context) ([]netip.AddrPort, error) {
		return lookup(ctx, r, name, port)
	})
}

// LookupSRV finds the members that the SRV records of _service._proto.name
// list, with their ports; with service and proto both empty, those of name. A
// nil r means net.DefaultResolver. Records whose host has no address now are
// left out, unless that are all of them: then the look-up has failed. The result
// is safe for concurrent use.
func LookupSRV(r *net.Resolver, service, proto, name string) Resolver {
	r = cmp.Or(r, net.DefaultResolver)
	return ResolverFunc(func(ctx context.Context) ([]netip.AddrPort, error) {
		_, records, err := r.LookupSRV(ctx, service, proto, name)
		if len(records) == 0 { // else the error is about records that are left out
			return nil, err
		}
		var all []netip.AddrPort
		errs := []error{err}
		for _, rec := range records {
			found, err := lookup(ctx, r, rec.Target, int(rec.Port))
			all, errs = append(all, found...), append(errs, err)
		}
		if len(all) == 0 {
			return nil, errors.Join(errs...)
		}
		return all, nil
	})
}

func lookup(ctx context.Context, r *net.Resolver, name string, port int) ([]netip.AddrPort, error) {
	if port < 1 || port > math.MaxUint16 {
		return nil, fmt.Errorf("tribes: static: look up %s: port %d: want 1 to 65535", name, port)
	}
	addrs, err := r.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, err
	}
	all := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		all[i] = netip.AddrPortFrom(a.Unmap(), uint16(port))
	}
	return all, nil
}
