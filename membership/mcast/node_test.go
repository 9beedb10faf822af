package mcast

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/membership"
)

// node is a service on an ether with all that it has told.
type node struct {
	testing.TB
	*Service
	local *membership.Member
	log   *testlog.Log

	mu     sync.Mutex
	port   *port // the one opened last
	opened int
	wreck  func(ctx context.Context, p *port) error // done to each port from now on
	events []membership.Event
	hook   func(membership.Event)
}

func host(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }

func newMember(t testing.TB, i int, change func(*membership.Attributes)) *membership.Member {
	t.Helper()
	a := membership.Attributes{Host: host(i), Port: 4000, SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.NewID()}
	if change != nil {
		change(&a)
	}
	m, err := membership.New(a)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func with(t testing.TB, m *membership.Member, change func(*membership.Attributes)) *membership.Member {
	t.Helper()
	n, err := m.With(change)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func goodbyeOf(t testing.TB, m *membership.Member, alive int64) *membership.Member {
	t.Helper()
	return with(t, m, func(a *membership.Attributes) { a.Command, a.Alive = membership.LeaveCommand, alive })
}

// newNode makes a node that is not started. Its Stop is left to the test or to
// the end of it.
func (e *ether) newNode(t testing.TB, local *membership.Member, change func(*Config)) *node {
	t.Helper()
	n := &node{TB: t, local: local, log: new(testlog.Log)}
	cfg := Config{Open: func(ctx context.Context) (net.PacketConn, error) { return n.openPort(ctx, e) }}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Service = s
	return n
}

func (n *node) openPort(ctx context.Context, e *ether) (net.PacketConn, error) {
	n.mu.Lock()
	wreck := n.wreck
	n.mu.Unlock()
	p := e.open(n.local.Host())
	if wreck != nil {
		if err := wreck(ctx, p); err != nil {
			_ = p.Close()
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.port = p
	n.opened++
	return p, nil
}

// setWreck changes what is done to the ports that the node opens.
func (n *node) setWreck(f func(ctx context.Context, p *port) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wreck = f
}

// join makes node i and starts it.
func (e *ether) join(t testing.TB, i int) *node {
	t.Helper()
	n := e.newNode(t, newMember(t, i, nil), nil)
	n.start()
	return n
}

func (n *node) env() membership.Env {
	return membership.Env{Local: n.local, Notify: n.notify, Listen: true, Announce: true,
		Logger: slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

func (n *node) start() {
	n.Helper()
	if err := n.Start(context.Background(), n.env()); err != nil {
		n.Fatalf("Start() = %v, want nil", err)
	}
	n.Cleanup(n.stop)
}

func (n *node) stop() {
	if err := n.Stop(context.Background()); err != nil {
		n.Errorf("Stop() = %v, want nil", err)
	}
}

// kill ends the node without a goodbye.
func (n *node) kill() {
	n.mu.Lock()
	n.port.failWrites(errKilled)
	n.mu.Unlock()
	n.stop()
}

var errKilled = fmt.Errorf("killed by the test")

func (n *node) notify(ev membership.Event) {
	n.mu.Lock()
	n.events = append(n.events, ev)
	hook := n.hook
	n.mu.Unlock()
	if hook != nil {
		hook(ev)
	}
}

// setHook lets f be called with each event.
func (n *node) setHook(f func(membership.Event)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hook = f
}

// told returns the events since the last call, as text.
func (n *node) told() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var text []string
	for _, ev := range n.events {
		text = append(text, ev.Kind.String()+" "+ev.Member.Host().String())
	}
	n.events = nil
	return text
}

// wantTold checks what was told since the last look, in order.
func (n *node) wantTold(want ...string) {
	n.Helper()
	if got := n.told(); !slices.Equal(got, want) {
		n.Errorf("%s was told %q, want %q", n.local.Host(), got, want)
	}
}

func (n *node) last() membership.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.events) == 0 {
		return membership.Event{}
	}
	return n.events[len(n.events)-1]
}

// wantRejected checks the counters of rejected datagrams.
func (n *node) wantRejected(want map[string]uint64) {
	n.Helper()
	got := n.Stats().Rejected
	if fmt.Sprint(got) != fmt.Sprint(want) {
		n.Errorf("rejected: %v, want %v", got, want)
	}
}

// inject lets a datagram arrive everywhere as if sent from that address.
func (e *ether) inject(from netip.Addr, b []byte) {
	p := e.open(from)
	_, _ = p.WriteTo(b, nil)
	_ = p.Close()
}

// pass lets time go by and everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d) // in a bubble: no real time passes
	synctest.Wait()
}
