package static

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Resolver finds the addresses of members. It is called from one goroutine at
// a time.
type Resolver interface {
	Resolve(ctx context.Context) ([]netip.AddrPort, error)
}

// ResolverFunc is a function as a [Resolver].
type ResolverFunc func(ctx context.Context) ([]netip.AddrPort, error)

// Resolve implements [Resolver].
func (f ResolverFunc) Resolve(ctx context.Context) ([]netip.AddrPort, error) { return f(ctx) }

// LookupHost finds a member on port at every address of a host name (A and AAAA
// records), which is what a headless service in a cloud offers. A nil r means
// net.DefaultResolver.
func LookupHost(r *net.Resolver, name string, port int) Resolver {
	return ResolverFunc(func(ctx context.Context) ([]netip.AddrPort, error) {
		return lookup(ctx, resolver(r), name, port)
	})
}

// LookupSRV finds the members that the SRV records of _service._proto.name
// list, with their ports. A nil r means net.DefaultResolver.
func LookupSRV(r *net.Resolver, service, proto, name string) Resolver {
	return ResolverFunc(func(ctx context.Context) ([]netip.AddrPort, error) {
		_, records, err := resolver(r).LookupSRV(ctx, service, proto, name)
		if err != nil {
			return nil, err
		}
		var all []netip.AddrPort
		var errs []error
		for _, rec := range records {
			found, err := lookup(ctx, resolver(r), rec.Target, int(rec.Port))
			all, errs = append(all, found...), append(errs, err)
		}
		if len(all) == 0 {
			return nil, errors.Join(errs...)
		}
		return all, nil
	})
}

func resolver(r *net.Resolver) *net.Resolver {
	if r == nil {
		return net.DefaultResolver
	}
	return r
}

func lookup(ctx context.Context, r *net.Resolver, name string, port int) ([]netip.AddrPort, error) {
	addrs, err := r.LookupNetIP(ctx, "ip", name)
	all := make([]netip.AddrPort, 0, len(addrs))
	for _, a := range addrs {
		all = append(all, netip.AddrPortFrom(a.Unmap(), uint16(port)))
	}
	return all, err
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}

// cutPort splits HOST:PORT, which was checked before.
func cutPort(hostPort string) (host string, port uint16) {
	host, text, _ := strings.Cut(hostPort, ":")
	port, _ = parsePort(text) // checked by Peer.check
	return host, port
}
