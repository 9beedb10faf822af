package mcast

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

// settled starts a node and waits until it is in the middle between two
// heartbeats.
func settled(t *testing.T, e *ether, change func(*Config)) *node {
	t.Helper()
	n := e.newNode(t, newMember(t, 1, nil), change)
	n.start()
	pass(DefaultFrequency / 2)
	return n
}

// puppet is a member whose datagrams the test writes itself.
type puppet struct {
	testing.TB
	e     *ether
	m     *membership.Member
	from  netip.Addr
	begin time.Time
}

func (e *ether) puppet(t testing.TB, i int) *puppet {
	m := newMember(t, i, nil)
	return &puppet{TB: t, e: e, m: m, from: m.Host(), begin: time.Now().Add(-time.Hour)}
}

func (p *puppet) alive() int64 { return time.Since(p.begin).Milliseconds() }

// beat sends a heartbeat as of ago.
func (p *puppet) beat(ago time.Duration) {
	p.e.inject(p.from, p.m.AppendImage(nil, p.alive()-ago.Milliseconds()))
	pass(roundTrip)
}

// leave sends a goodbye.
func (p *puppet) leave() { p.leaveFrom(p.from, p.alive()) }

func (p *puppet) leaveFrom(from netip.Addr, alive int64) {
	p.e.inject(from, []byte(goodbyeOf(p, p.m, alive).Image()))
	pass(roundTrip)
}

// run lets the puppet send heartbeats for d.
func (p *puppet) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		p.beat(0)
		pass(DefaultFrequency - roundTrip)
	}
}

func TestStragglersDoNotResurrect(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, p := settled(t, e, nil), e.puppet(t, 2)
		p.run(2 * time.Second)
		p.leave()
		a.wantTold("joined 10.0.0.2", "left 10.0.0.2")
		for ago := range 20 { // heartbeats that were on their way
			p.beat(time.Duration(ago) * 100 * time.Millisecond)
		}
		a.wantTold()
		a.wantRejected(map[string]uint64{straggler.String(): 20})
	})
}

// The last heartbeat came late, so we think the member younger than it is; one
// that it sent just before its goodbye comes even later.
func TestStragglerOnAJitteryNetwork(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, p := settled(t, e, nil), e.puppet(t, 2)
		p.beat(800 * time.Millisecond)
		p.leave()
		p.beat(5 * time.Millisecond)
		a.wantTold("joined 10.0.0.2", "left 10.0.0.2")
		a.wantRejected(map[string]uint64{straggler.String(): 1})
	})
}

// Goodbyes of people who never were do not push out those of members.
func TestMadeUpGoodbyes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, p := settled(t, e, nil), e.puppet(t, 2)
		p.run(time.Second)
		p.leave()
		for i := range 2 * maxGraves {
			e.inject(host(66), []byte(goodbyeOf(t, newMember(t, 100+i, nil), 0).Image()))
			if i%500 == 0 {
				pass(roundTrip)
			}
		}
		p.beat(50 * time.Millisecond)
		a.wantTold("joined 10.0.0.2", "left 10.0.0.2")
	})
}

// A goodbye that overtakes all heartbeats is remembered too.
func TestGoodbyeBeforeTheFirstHeartbeat(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, p := settled(t, e, nil), e.puppet(t, 2)
		p.leave()
		p.beat(100 * time.Millisecond)
		a.wantTold()
		a.wantRejected(map[string]uint64{straggler.String(): 1})
	})
}

func TestForgedGoodbyeIsRefuted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, p := settled(t, e, nil), e.puppet(t, 2)
		p.run(2 * time.Second)
		p.leaveFrom(host(66), p.alive())
		a.wantTold("joined 10.0.0.2", "left 10.0.0.2")
		p.run(time.Second)
		a.wantTold("joined 10.0.0.2")
		for range 10 { // no more of that
			p.leaveFrom(host(66), p.alive())
			p.run(time.Second)
		}
		a.wantTold()
		if n := a.log.Lines("goes on after its goodbye"); n != 1 {
			t.Errorf("%d log lines, want 1", n)
		}
		p.leave() // now it is true
		a.wantTold()
		pass(3 * DefaultFrequency)
		a.wantTold("left 10.0.0.2")
		pass(time.Minute)
		a.wantTold()
	})
}

// A forger who claims a huge alive time cannot keep the member out for long.
func TestForgedGoodbyeOfTheFuture(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, p := settled(t, e, nil), e.puppet(t, 2)
		p.run(2 * time.Second)
		p.leaveFrom(host(66), 1<<62)
		p.run(2 * time.Second)
		a.wantTold("joined 10.0.0.2", "left 10.0.0.2", "joined 10.0.0.2")
	})
}

// A Java node that stops and starts keeps its id and begins a new alive time.
func TestReturnUnderTheSameID(t *testing.T) {
	for _, away := range []time.Duration{2 * time.Second, 4 * time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newEther()
				a, p := settled(t, e, nil), e.puppet(t, 2)
				p.run(2 * time.Second)
				p.leave()
				pass(away)
				p.begin = time.Now().Add(-time.Second)
				p.run(DefaultFrequency)
				a.wantTold("joined 10.0.0.2", "left 10.0.0.2", "joined 10.0.0.2")
				p.leave() // nothing was refuted, so this is believed at once
				a.wantTold("left 10.0.0.2")
			})
		})
	}
}

func TestStrictLeave(t *testing.T) {
	for _, c := range []struct {
		name   string
		from   netip.Addr
		goesOn bool
		want   []string
	}{
		{"own address", host(2), false, []string{"left 10.0.0.2"}},
		{"other address, goes on", host(66), true, nil},
		{"other address, silent", host(66), false, []string{"left 10.0.0.2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newEther()
				a, p := settled(t, e, func(c *Config) { c.StrictLeave = true }), e.puppet(t, 2)
				p.run(2 * time.Second)
				a.wantTold("joined 10.0.0.2")
				p.leaveFrom(c.from, p.alive())
				if c.from != p.from {
					a.wantTold()
				}
				if c.goesOn {
					p.run(2 * time.Second)
				} else {
					pass(3 * DefaultFrequency)
				}
				a.wantTold(c.want...)
				if got := a.Stats(); c.goesOn && (got.Suspicions != 1 || got.Refuted != 1 || got.ForeignSource != 1) {
					t.Errorf("suspicions, refuted, foreign = %d, %d, %d, want 1 each", got.Suspicions, got.Refuted, got.ForeignSource)
				}
			})
		})
	}
}

func TestRestartOnTheSameAddress(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, b := e.join(t, 1), e.join(t, 2)
		pass(time.Second + 100*time.Millisecond)
		b.kill()
		again := e.join(t, 2)
		pass(roundTrip)
		a.wantTold("joined 10.0.0.2", "joined 10.0.0.2")
		pass(3*DefaultFrequency - roundTrip/2)
		ev := a.last()
		a.wantTold("failed 10.0.0.2")
		if ev.Member.ID() != b.local.ID() {
			t.Errorf("%s failed, want the old life %s", ev.Member, b.local)
		}
		again.stop()
		pass(time.Second)
		a.wantTold("left 10.0.0.2")
		if got := a.View().Len(); got != 0 {
			t.Errorf("%d members, want none", got)
		}
	})
}

// Two that live on one address, by whatever mistake, both stay.
func TestTwoLivesOnOneAddress(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a, one, two := settled(t, e, nil), e.puppet(t, 2), e.puppet(t, 2)
		for range 60 {
			one.beat(0)
			two.beat(0)
			pass(DefaultFrequency)
		}
		a.wantTold("joined 10.0.0.2", "joined 10.0.0.2")
	})
}

func TestGravesJudge(t *testing.T) {
	now := time.Now()
	m := newMember(t, 2, nil)
	at := func(ms int64) *membership.Member {
		return with(t, m, func(a *membership.Attributes) { a.Alive = ms })
	}
	for _, c := range []struct {
		name  string
		alive int64
		after time.Duration
		want  verdict
	}{
		{"same age at once", 10_000, 0, late},
		{"a little older at once", 10_200, 0, late},
		{"a heartbeat later", 10_500, 500 * time.Millisecond, continued},
		{"a heartbeat earlier", 9_500, 500 * time.Millisecond, late},
		{"a long way behind", 7_100, 0, late},
		{"too long a way behind", 6_900, 0, restarted},
		{"a new life", 1_000, 500 * time.Millisecond, restarted},
		{"same age at the end", 10_000, 3 * time.Second, late},
		{"too late to matter", 10_000, 3*time.Second + 1, unrelated},
	} {
		var g graves
		g.dig(m.Key(), 10_000, now, 3*time.Second)
		g.dig(m.Key(), 1<<40, now, 3*time.Second) // the second goodbye changes nothing
		if got := g.judge(at(c.alive), now.Add(c.after)); got != c.want {
			t.Errorf("%s: judge() = %v, want %v", c.name, got, c.want)
		}
		g.remove(m.Key())
		if got := g.judge(at(c.alive), now); got != unrelated {
			t.Errorf("%s: judge() after remove = %v, want %v", c.name, got, unrelated)
		}
	}
}

func TestGravesAreBounded(t *testing.T) {
	var g graves
	now := time.Now()
	key := func(i int) membership.Key {
		return membership.Key{Host: host(1), Port: 1, ID: membership.ID([]byte(fmt.Sprintf("%016d", i)))}
	}
	for i := range 3 * maxGraves {
		g.dig(key(i), 0, now, time.Second)
		if i%2 == 0 {
			g.remove(key(i))
		}
		if len(g.m) > maxGraves || len(g.order) > maxGraves {
			t.Fatalf("%d graves, %d in order, want at most %d", len(g.m), len(g.order), maxGraves)
		}
	}
	g.dig(key(-1), 0, now.Add(time.Minute), time.Second)
	if len(g.m) != 1 || len(g.order) != 1 {
		t.Errorf("%d graves, %d in order, when all but one are too old, want 1", len(g.m), len(g.order))
	}
}
