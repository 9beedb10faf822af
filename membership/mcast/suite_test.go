package mcast

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/membershiptest"
)

// TestServiceVirtual runs the suite over a network in memory.
func TestServiceVirtual(t *testing.T) {
	membershiptest.RunVirtual(t, func(t testing.TB) *membershiptest.Group {
		e := newEther()
		return suiteGroup(t, func(i int, opened func(net.PacketConn)) Config {
			return Config{Open: e.opener(host(i+1), func(p *port) { opened(p) })}
		}, host)
	})
}

// TestServiceOnLoopback runs the suite over real sockets.
func TestServiceOnLoopback(t *testing.T) {
	membershiptest.Run(t, func(t testing.TB) *membershiptest.Group {
		cfg := loopback(t)
		return suiteGroup(t, func(_ int, opened func(net.PacketConn)) Config {
			c := cfg
			c.Frequency, c.DropTime = 50*time.Millisecond, time.Second
			c.Open = func(ctx context.Context) (net.PacketConn, error) {
				o := opener{cfg: &cfg, listen: true}
				ifi, err := net.InterfaceByName("lo")
				if err != nil {
					return nil, err
				}
				sock, err := o.system(ctx, ifi)
				if err != nil {
					return nil, err
				}
				opened(sock.conn)
				return sock.conn, nil
			}
			return c
		}, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(i)}) })
	})
}

// suiteGroup makes nodes that are killed by cutting their connection.
func suiteGroup(t testing.TB, config func(i int, opened func(net.PacketConn)) Config, address func(i int) netip.Addr) *membershiptest.Group {
	build := func(i int, cfg Config) membershiptest.Node {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		local := newMember(t, i+1, func(a *membership.Attributes) {
			a.Host, a.Domain, a.Payload = address(i+1), "domain", fmt.Sprint("payload ", i)
		})
		return membershiptest.Node{Local: local, Service: s}
	}
	return &membershiptest.Group{
		FailWithin: 5 * time.Second,
		Node: func(i int) membershiptest.Node {
			cut := new(cutter)
			cfg := config(i, cut.opened)
			open := cfg.Open
			cfg.Open = func(ctx context.Context) (net.PacketConn, error) {
				conn, err := open(ctx)
				if err != nil {
					return nil, err
				}
				return mute{conn, cut}, nil
			}
			n := build(i, cfg)
			n.Kill = func() {
				cut.kill()
				_ = n.Service.Stop(context.Background()) // it has nothing to say any more
			}
			return n
		},
		Broken: func() membershiptest.Node {
			return build(1, Config{Open: func(context.Context) (net.PacketConn, error) { return nil, errKilled }})
		},
	}
}

// cutter silences connections.
type cutter struct {
	mu    sync.Mutex
	conns []net.PacketConn
	dead  bool
}

func (c *cutter) opened(conn net.PacketConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
}

func (c *cutter) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

// mute is a connection that swallows what is sent when its node is dead.
type mute struct {
	net.PacketConn
	c *cutter
}

func (m mute) WriteTo(b []byte, to net.Addr) (int, error) {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	if m.c.dead {
		return len(b), nil
	}
	return m.PacketConn.WriteTo(b, to)
}
