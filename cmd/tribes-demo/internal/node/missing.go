package node

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/gotribes/tribes/group"
)

// warnOfMissing logs, once, which members of the list are not there a drop time
// after the start.
func (n *node) warnOfMissing(ctx context.Context, g *group.Group) {
	t := time.NewTimer(n.settings.Drop)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.Done():
		return
	}
	for _, p := range n.settings.Static {
		if !present(ctx, g, p.Addr) {
			n.log.Warn("static member is not there; tribes-demo doctor tells more", "addr", p.Addr, "after", n.settings.Drop)
		}
	}
}

// present reports whether HOST:PORT is the local member's or that of one in the
// view.
func present(ctx context.Context, g *group.Group, addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return false
	}
	for _, h := range hosts {
		a, err := netip.ParseAddrPort(net.JoinHostPort(h, port))
		if err == nil && (a == g.Local().AddrPort() || len(g.View().At(a)) > 0) {
			return true
		}
	}
	return false
}
