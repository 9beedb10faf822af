package mcast

import (
	"context"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

// Members beat at their Frequency, and are missed after the DropTime of those
// who listen.
func TestFrequencyAndDropTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		set := func(c *Config) { c.Frequency, c.DropTime = 100*time.Millisecond, time.Second }
		a, b := e.newNode(t, newMember(t, 1, nil), set), e.newNode(t, newMember(t, 2, nil), set)
		a.start()
		b.start()
		pass(time.Second + time.Millisecond)
		a.wantTold("joined 10.0.0.2")
		e.count()
		pass(10 * time.Second)
		if got := e.count(); got != 200 {
			t.Errorf("%d heartbeats of two members in 10s, want 200", got)
		}
		heard, _ := a.table.LastHeard(b.local.Key())
		b.kill()
		pass(time.Until(heard.Add(time.Second)))
		a.wantTold()
		pass(time.Nanosecond)
		a.wantTold("failed 10.0.0.2")
	})
}

// While no socket can be opened the tries become as rare as RecoveryPause says.
func TestRecoveryPause(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.newNode(t, newMember(t, 1, nil), func(c *Config) { c.RecoveryPause = 10 * time.Second })
		a.start()
		pass(2*steady + time.Millisecond)
		var tries atomic.Int64
		a.setWreck(func(context.Context, *port) error { tries.Add(1); return syscall.ENODEV })
		_ = a.lastPort().Close()
		pass(time.Minute) // pauses of 0.05, 0.1, ... 6.4 s, then of 10 s
		tries.Store(0)
		pass(time.Minute)
		if got := tries.Load(); got != 6 {
			t.Errorf("%d tries in a minute, want 6: one each RecoveryPause", got)
		}
	})
}

// The socket is bound to the group, and has the options that the settings say.
func TestSocketSettings(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*Config)
		ttl      int
		loopback bool
	}{
		{"defaults", func(*Config) {}, 1, true},
		{"far", func(c *Config) { c.TTL = 7 }, 7, true},
		{"this machine only", func(c *Config) { c.TTL = -1 }, 0, true},
		{"no loopback", func(c *Config) { c.NoLoopback = true }, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := loopback(t)
			c.change(&cfg)
			udp := startLocal(t, cfg, 4001).sock.Load().udp
			p := ipv4.NewPacketConn(udp)
			if ttl, err := p.MulticastTTL(); err != nil || ttl != c.ttl {
				t.Errorf("TTL = %d, %v, want %d", ttl, err, c.ttl)
			}
			if on, err := p.MulticastLoopback(); err != nil || on != c.loopback {
				t.Errorf("loopback = %v, %v, want %v", on, err, c.loopback)
			}
			if got := source(udp.LocalAddr()); got.Port() != uint16(cfg.Port) || canBatch && got.Addr() != cfg.Address {
				t.Errorf("bound to %s, want %s", got, cfg.group())
			}
		})
	}
}

// Interface is a name or an address, and is not second-guessed.
func TestInterfaceSetting(t *testing.T) {
	for _, want := range []string{"lo", "127.0.0.1"} {
		cfg := Config{Interface: want}
		// The local member has an address elsewhere, which would be looked for first.
		o := opener{cfg: &cfg, listen: true, local: netip.MustParseAddr("192.0.2.1")}
		found, err := o.candidates(t.Context())
		if err != nil || len(found) != 1 || found[0].Name != "lo" {
			t.Errorf("Interface %q gives %v, %v, want lo alone", want, found, err)
		}
	}
	cfg := Config{Interface: "nosuch0"}
	if found, err := (opener{cfg: &cfg}).candidates(t.Context()); err == nil {
		t.Errorf("an Interface that does not exist gives %v, want an error", found)
	}
}

// Several groups live side by side in one process, and on one machine: another
// port or another address is another group.
func TestGroupsAreApart(t *testing.T) {
	one := loopback(t)
	otherPort, otherAddress := one, one
	otherPort.Port++
	a := one.Address.As4()
	a[1]++
	otherAddress.Address = netip.AddrFrom4(a)
	var pairs [][2]*local
	port := 4001
	for _, cfg := range []Config{one, otherPort, otherAddress} {
		x, y := startLocal(t, cfg, port), startLocal(t, cfg, port+1)
		port += 2
		x.want(t, membership.Joined, y)
		y.want(t, membership.Joined, x)
		pairs = append(pairs, [2]*local{x, y})
	}
	// Whatever came across came before what is sent now.
	for _, p := range pairs {
		for i := range p {
			p[i].Update(with(t, p[i].m, func(a *membership.Attributes) { a.Payload = "last" }))
			p[1-i].want(t, membership.Updated, p[i])
		}
	}
	for _, p := range pairs {
		for _, n := range p {
			if st := n.Stats(); st.Members != 1 || len(st.Rejected) != 0 {
				t.Errorf("%s sees %d members and rejected %v, want the other of its own group alone", n.m, st.Members, st.Rejected)
			}
		}
	}
}
