package interceptor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var errRefused = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)

// condition is what a probe finds on an address.
type condition int

const (
	up      condition = iota // accepts and answers
	refused                  // nobody listens
	dark                     // packets vanish
	hung                     // the kernel accepts, nobody reads
)

// tcp plays the TCP side of other members; its probe method is a
// interceptortest.ProbeFunc.
type tcp struct {
	mu    sync.Mutex
	state map[netip.AddrPort]condition // up if not in it
	err   error                        // if not nil the answer to all

	running map[netip.AddrPort]int
	most    int // probes at one time
	double  int // probes begun while there was one on the same address
	probes  []channel.Probe
	targets []*membership.Member
}

func newTCP() *tcp {
	return &tcp{state: make(map[netip.AddrPort]condition), running: make(map[netip.AddrPort]int)}
}

func (n *tcp) set(c condition, members ...*membership.Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range members {
		n.state[m.AddrPort()] = c
	}
}

func (n *tcp) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

// last returns the latest probe.
func (n *tcp) last() channel.Probe {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.probes[len(n.probes)-1]
}

// count returns the number of probes so far, of members if any are given.
func (n *tcp) count(members ...*membership.Member) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(members) == 0 {
		return len(n.probes)
	}
	c := 0
	for _, m := range n.targets {
		for _, want := range members {
			if m.Key() == want.Key() {
				c++
			}
		}
	}
	return c
}

func (n *tcp) probe(ctx context.Context, m *membership.Member, p channel.Probe) error {
	n.begin(m, p)
	defer n.end(m)
	if err := n.connect(ctx, m, p); err != nil || p.Kind != channel.ProbeRead {
		return err
	}
	return n.wait(ctx, m, p.Read, hung)
}

func (n *tcp) begin(m *membership.Member, p channel.Probe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.probes = append(n.probes, channel.Probe{Kind: p.Kind, Connect: p.Connect, Read: p.Read})
	n.targets = append(n.targets, m)
	if n.running[m.AddrPort()] > 0 {
		n.double++
	}
	n.running[m.AddrPort()]++
	n.most = max(n.most, len(n.running))
}

func (n *tcp) end(m *membership.Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running[m.AddrPort()]--; n.running[m.AddrPort()] == 0 {
		delete(n.running, m.AddrPort())
	}
}

func (n *tcp) connect(ctx context.Context, m *membership.Member, p channel.Probe) error {
	n.mu.Lock()
	err, c := n.err, n.state[m.AddrPort()]
	n.mu.Unlock()
	switch {
	case err != nil:
		return err
	case c == refused:
		return errRefused
	}
	return n.wait(ctx, m, p.Connect, dark)
}

// wait returns when the address is not in the state any more, or time is up.
func (n *tcp) wait(ctx context.Context, m *membership.Member, limit time.Duration, while condition) error {
	end := time.After(limit)
	for {
		n.mu.Lock()
		c := n.state[m.AddrPort()]
		n.mu.Unlock()
		switch c {
		case while:
		case refused:
			return errRefused
		default:
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-end:
			return fmt.Errorf("probe: %w", message.ErrTimeout)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// bench is a detector on a harness over a tcp.
type bench struct {
	*interceptortest.Harness
	d     *TCPFailureDetector
	net   *tcp
	begin time.Time
	log   *testlog.Log
}

// newBench starts d. It is called in a synctest bubble.
func newBench(tb testing.TB, d *TCPFailureDetector) *bench {
	tb.Helper()
	b := &bench{d: d, net: newTCP(), begin: time.Now(), log: new(testlog.Log)}
	logger := slog.New(slog.NewTextHandler(b.log, nil))
	b.Harness = interceptortest.New(tb, interceptortest.Config{Probe: b.net.probe, Logger: logger}, d)
	b.Start()
	return b
}

// joined lets members be heard and waits until they are announced.
func (b *bench) joined(tb testing.TB, members ...*membership.Member) {
	tb.Helper()
	b.Join(members...)
	b.pass(time.Second)
	for _, m := range members {
		if b.View().Find(m.Key()) == nil {
			tb.Fatalf("%s was not announced within a second", m)
		}
	}
	b.Top.Reset()
}

// pass lets virtual time pass, and a little more, so that what is due then has
// been done.
func (b *bench) pass(d time.Duration) { time.Sleep(d + time.Millisecond) }

// kinds lists the events of m so far.
func (b *bench) kinds(m *membership.Member) string {
	var s []byte
	for _, ev := range b.Top.Events() {
		if ev.Member.Key() == m.Key() {
			s = fmt.Appendf(s, "%s ", ev.Kind)
		}
	}
	return string(bytes.TrimSpace(s))
}

// expect compares the events of m with what is wanted.
func (b *bench) expect(tb testing.TB, m *membership.Member, want string) {
	tb.Helper()
	if got := b.kinds(m); got != want {
		tb.Errorf("after %v the events of %s = %q, want %q", time.Since(b.begin).Round(time.Millisecond), m, got, want)
	}
}

// status is what the detector says of m.
func (b *bench) status(tb testing.TB, m *membership.Member) MemberStatus {
	tb.Helper()
	for _, s := range b.d.Stats().Members {
		if s.Member.Key() == m.Key() {
			return s
		}
	}
	tb.Fatalf("the detector does not know %s", m)
	return MemberStatus{}
}
