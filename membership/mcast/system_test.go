package mcast

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// loopback are settings for a group of its own on the loopback interface.
func loopback(t testing.TB) Config {
	t.Helper()
	cfg, err := Config{
		Address:   netip.AddrFrom4([4]byte{239, 192, byte(rand.N(256)), byte(1 + rand.N(254))}),
		Port:      20_000 + rand.N(10_000),
		Interface: "127.0.0.1",
	}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// local is a service on real sockets with the channels of what it tells.
type local struct {
	*Service
	m      *membership.Member
	events chan membership.Event
	seen   []membership.Event // taken from events
	got    chan string
}

func startLocal(t testing.TB, cfg Config, port int) *local {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &local{Service: s, events: make(chan membership.Event, 1000), got: make(chan string, 1000)}
	n.m = newMember(t, 1, func(a *membership.Attributes) { a.Host, a.Port = netip.MustParseAddr("127.0.0.1"), port })
	s.Open(channel.Env{Pool: new(message.Pool), Trace: new(channel.Trace).WithDefaults(),
		Deliver: func(_ context.Context, m *message.Message) error { n.got <- string(m.Payload()); return nil }})
	err = s.Start(context.Background(), membership.Env{Local: n.m, Listen: true, Announce: true,
		Notify: func(ev membership.Event) { n.events <- ev }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
	})
	return n
}

// want waits for that event about o.
func (n *local) want(t testing.TB, kind membership.Kind, o *local) membership.Event {
	t.Helper()
	for timeout := time.After(10 * time.Second); ; {
		for _, ev := range n.seen {
			if ev.Kind == kind && ev.Member.Key() == o.m.Key() {
				return ev
			}
		}
		select {
		case ev := <-n.events:
			n.seen = append(n.seen, ev)
		case <-timeout:
			t.Fatalf("%s was not told in 10s that %s %s; stats: %+v", n.m, o.m, kind, n.Stats())
		}
	}
}

// Several services in one process find each other, lose each other, and carry
// messages, each over a socket of its own on one port.
func TestOnLoopback(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
	}{
		{"batches", func(*Config) {}},
		{"portable", func(cfg *Config) { cfg.Open = portable(*cfg) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := loopback(t)
			cfg.Messages = FromMembers
			c.change(&cfg)
			onLoopback(t, cfg)
		})
	}
}

func onLoopback(t *testing.T, cfg Config) {
	var all []*local
	for i := range 4 {
		n := startLocal(t, cfg, 4001+i)
		for _, o := range all {
			n.want(t, membership.Joined, o)
			o.want(t, membership.Joined, n)
		}
		all = append(all, n)
	}
	for _, size := range []int{0, 1, 1400, maxDatagram - 135} {
		sent := strings.Repeat("x", size)
		var pool message.Pool
		m := newMessage(&pool, all[0].m, []byte(sent))
		if err := all[0].Broadcast(t.Context(), m); err != nil {
			t.Errorf("Broadcast of %d bytes = %v, want nil", size, err)
		}
		m.Release()
		for _, n := range all[1:] {
			select {
			case got := <-n.got:
				if got != sent {
					t.Errorf("%s got %d bytes, want %d", n.m, len(got), size)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s got no message of %d bytes; stats: %+v", n.m, size, n.Stats())
			}
		}
	}
	all[1].Update(with(t, all[1].m, func(a *membership.Attributes) { a.Payload = "new" }))
	if ev := all[2].want(t, membership.Updated, all[1]); ev.Member.Payload() != "new" {
		t.Errorf("updated to payload %q, want %q", ev.Member.Payload(), "new")
	}
	if err := all[3].Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for _, n := range all[:3] {
		n.want(t, membership.Left, all[3])
	}
	if got := all[0].Stats(); got.Own == 0 || len(got.Rejected) != 0 || got.ForeignSource != 0 {
		t.Errorf("stats %+v, want own heartbeats and nothing strange", got)
	}
}

// portable opens sockets as systems do that can neither bind a group nor read
// batches.
func portable(cfg Config) func(context.Context) (net.PacketConn, error) {
	return func(ctx context.Context) (net.PacketConn, error) {
		ifi, err := net.InterfaceByName("lo")
		if err != nil {
			return nil, err
		}
		conn, err := bindAny(ctx, cfg.group())
		if err != nil {
			return nil, err
		}
		o := opener{cfg: &cfg, listen: true}
		if err := o.setUp(conn, ifi); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return struct{ net.PacketConn }{conn}, nil // no *net.UDPConn any more
	}
}

// Without settings a service finds an interface that works.
func TestInterfaceIsChosen(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "10.255.255.254"} {
		t.Run(host, func(t *testing.T) {
			cfg := loopback(t)
			cfg.Interface = ""
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			m := newMember(t, 1, func(a *membership.Attributes) { a.Host = netip.MustParseAddr(host) })
			log := new(testlog.Log)
			env := membership.Env{Local: m, Listen: true, Announce: true, Logger: slog.New(slog.NewTextHandler(log, nil)), Notify: func(membership.Event) {}}
			if err := s.Start(t.Context(), env); err != nil {
				t.Fatalf("Start() = %v, want nil", err)
			}
			st := s.Stats()
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if st.Interface == "" || host == "127.0.0.1" && st.Interface != "lo" {
				t.Errorf("interface %q", st.Interface)
			}
			if said := log.Lines("loopback interface") > 0; said != (st.Interface == "lo") {
				t.Errorf("interface %q, and the log says of it:\n%s", st.Interface, log)
			}
		})
	}
}

// An interface that is not there, and a port that somebody holds for himself,
// give one clear error.
func TestSystemErrors(t *testing.T) {
	taken := loopback(t)
	blocker, err := net.ListenUDP("udp4", &net.UDPAddr{Port: taken.Port}) // without leave to reuse the port
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Close() }()
	missing := loopback(t)
	missing.Interface = "nosuch0"
	other := loopback(t)
	other.Interface = "203.0.113.77"
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"port taken", taken, "address already in use"},
		{"no such interface", missing, `Interface "nosuch0": no such name or IPv4 address, want one of`},
		{"no such address", other, `Interface "203.0.113.77": no such name or IPv4 address, want one of`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			env := membership.Env{Local: newMember(t, 1, nil), Listen: true, Announce: true, Logger: slog.New(slog.DiscardHandler)}
			err = s.Start(t.Context(), env)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Start() = %v, want one line with %q", err, c.want)
			}
		})
	}
}

// A socket of the system that is closed under the service is replaced by one on
// the same interface.
func TestReopenOnLoopback(t *testing.T) {
	cfg := loopback(t)
	a, b := startLocal(t, cfg, 4001), startLocal(t, cfg, 4002)
	a.want(t, membership.Joined, b)
	old := a.sock.Load()
	_ = old.conn.Close()
	c := startLocal(t, cfg, 4003) // its first heartbeat may be missed, a later one is not
	a.want(t, membership.Joined, c)
	if st := a.Stats(); st.Opened != 2 || st.Interface != "lo" {
		t.Errorf("Opened, Interface = %d, %q, want 2, lo", st.Opened, st.Interface)
	}
	if _, err := a.reopen(t.Context(), "nosuch0"); err == nil || !strings.Contains(err.Error(), "nosuch0") {
		t.Errorf("reopen on an interface that is gone = %v, want an error that names it", err)
	}
}

// All methods may be called at any time.
func TestConcurrentCallsOnLoopback(t *testing.T) {
	cfg := loopback(t)
	cfg.Messages = FromAnyone
	a, b := startLocal(t, cfg, 4001), startLocal(t, cfg, 4002)
	a.want(t, membership.Joined, b)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { // ends by itself
			var pool message.Pool
			for j := range 50 {
				m := newMessage(&pool, a.m, fmt.Append(nil, i, j))
				if err := a.Broadcast(context.Background(), m); err != nil {
					t.Errorf("Broadcast() = %v, want nil", err)
				}
				m.Release()
				a.Update(a.m)
				_, _ = a.View(), a.Stats()
			}
		})
	}
	wg.Wait()
}
