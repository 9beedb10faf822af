//go:build interop

package interop

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// Size and pace of the bulks in the mixed group.
const (
	mixedCount   = 100
	mixedRate    = 100 // per second and sender
	mixedThreads = 2
	mixedSize    = profile(2000)
)

// mixedModes are what senders use in turn. What is sent without an answer may be lost.
var mixedModes = []int{optSync, optAsync | optSync, optSync, optAsync | optAck, optAsync}

// TestMixedGroup lets three Java nodes, one of each line, and three of ours send to everybody, while one of each kind
// comes and goes, by goodbye and by kill -9. Then all see each other and nobody else, nobody who stayed was ever missed,
// every message that somebody who stayed has acknowledged has arrived there, and none twice but those that their sender
// reported as repeated. TRIBES_MIXED_TIME says how long; 45s by default.
func TestMixedGroup(t *testing.T) {
	lasts := mixedTime(t)
	ctx, cancel := context.WithTimeoutCause(t.Context(), lasts+patience, fmt.Errorf("test took longer than %v", lasts+patience))
	defer cancel()
	m := newMixedGroup(ctx, t)
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		m.cycle(ctx)
	}
	m.round(ctx, func() {})
	m.checkViews(ctx)
	m.checkMessages(ctx)
}

func mixedTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("TRIBES_MIXED_TIME")
	if text == "" {
		return 45 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("TRIBES_MIXED_TIME: %v", err)
	}
	return d
}

// guest is the place of a node that comes and goes.
type guest struct {
	start func(ctx context.Context, port int) *peer
	port  int
	now   *peer // nil while it is away
}

// mixedGroup is the group of the test, driven round by round.
type mixedGroup struct {
	t      *testing.T
	stay   []*peer
	guests []*guest
	ledger *ledger
	rounds int
	cycles int
	series uint64 // used so far
}

// newMixedGroup starts all nodes and waits until they see each other.
func newMixedGroup(ctx context.Context, t *testing.T) *mixedGroup {
	t.Helper()
	group := freeGroup(t)
	java := func(v version) func(context.Context, int) *peer {
		return func(ctx context.Context, port int) *peer {
			return startPeer(ctx, t, v, peerConfig{Group: group, Port: port, Stack: "dispatch,tcpfd"})
		}
	}
	goes := func(ctx context.Context, port int) *peer {
		return startGoPeer(ctx, t, goConfig{Group: group, Port: port})
	}
	m := &mixedGroup{t: t, ledger: newLedger()}
	for _, start := range []func(context.Context, int) *peer{java(v101), java(v90), goes, goes} {
		m.stay = append(m.stay, start(ctx, freePort(t)))
	}
	for i, p := range m.stay {
		p.call(ctx, "quiet on", "ok")
		for _, q := range m.stay[:i] {
			meet(ctx, t, p, q)
		}
	}
	for _, start := range []func(context.Context, int) *peer{java(v110), goes} {
		g := &guest{start: start, port: freePort(t)}
		m.guests = append(m.guests, g)
		m.arrive(ctx, g)
	}
	return m
}

// present are the nodes that are there now.
func (m *mixedGroup) present() []*peer {
	all := slices.Clone(m.stay)
	for _, g := range m.guests {
		if g.now != nil {
			all = append(all, g.now)
		}
	}
	return all
}

// cycle lets each guest go and come back in the middle of the traffic, in every second cycle by goodbye. Who was killed
// comes back on another port, since Java would keep both of its identities on the old one.
func (m *mixedGroup) cycle(ctx context.Context) {
	for _, g := range m.guests {
		gone := g.now
		m.round(ctx, func() {
			g.now = nil
			if m.cycles%2 == 0 {
				gone.leave(ctx)
				return
			}
			gone.kill()
			g.port = freePort(m.t)
		})
		m.round(ctx, func() {
			for _, p := range m.present() {
				p.waitEvent(ctx, "memberDisappeared", about(gone))
			}
		})
		m.round(ctx, func() { m.arrive(ctx, g) })
	}
	m.cycles++
}

// arrive starts a guest and waits until it and everybody else see each other.
func (m *mixedGroup) arrive(ctx context.Context, g *guest) {
	p := g.start(ctx, g.port)
	p.call(ctx, "quiet on", "ok")
	for _, q := range m.present() {
		meet(ctx, m.t, p, q)
	}
	g.now = p
}

// round lets everybody who is present send a bulk to all others, does something meanwhile, and enters the outcomes of
// those who are still there into the ledger.
func (m *mixedGroup) round(ctx context.Context, meanwhile func()) {
	numbers := make(map[*peer]int)
	bulks := make(map[*peer]bulkSend)
	for i, p := range m.present() {
		m.series++
		b := bulkSend{
			To: "all", Options: mixedModes[(m.rounds+i)%len(mixedModes)], Series: series{m.series, mixedSize},
			Count: mixedCount, Threads: mixedThreads, Rate: mixedRate,
		}
		m.ledger.sent(p.id, b)
		numbers[p], bulks[p] = p.startBulk(b), b
	}
	meanwhile()
	for p, b := range bulks {
		if slices.Contains(m.present(), p) {
			m.ledger.settled(p.id, b, p.bulkDone(ctx, numbers[p]))
		}
	}
	m.rounds++
}

// checkViews fails the test unless everybody sees all others and nobody else, and nobody missed one who stayed.
func (m *mixedGroup) checkViews(ctx context.Context) {
	for _, p := range m.present() {
		var want []string
		for _, q := range m.present() {
			if q != p {
				want = append(want, q.addr)
			}
		}
		got := p.members(ctx)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			m.t.Errorf("%s sees %v, want %v", p, got, want)
		}
		for _, q := range m.present() {
			if e := p.events("memberDisappeared", about(q)); len(e) != 0 {
				m.t.Errorf("%s missed %s, which was there: %+v", p, q, e)
			}
		}
	}
}

// checkMessages compares what those who stayed have received with the ledger.
func (m *mixedGroup) checkMessages(ctx context.Context) {
	for _, p := range m.stay {
		got := p.received(ctx, "all")
		m.t.Logf("%s received %d messages", p, len(got))
		complain(m.t, m.ledger.compare(p.addr, got))
	}
	m.t.Logf("%d rounds, %d comings and goings: %s", m.rounds, 2*m.cycles*len(m.guests), m.ledger)
}
