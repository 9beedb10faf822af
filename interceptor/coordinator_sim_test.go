package interceptor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/transport/mem"
)

// electors are members with a coordinator on a network in memory, and what all of
// their views have to keep to.
type electors struct {
	t  *testing.T
	nw *mem.Network

	mu     sync.Mutex
	on     map[string]*elector
	lists  map[membership.ViewID]string // members of each view that was installed anywhere
	wrong  []string
	layers func() *NonBlockingCoordinator
	below  []channel.Interceptor // layers below the next coordinator
}

// elector is one run of a member.
type elector struct {
	*channel.Channel
	co   *NonBlockingCoordinator
	name string
	last *membership.Agreed
}

func newElectors(t *testing.T, cfg mem.Config) *electors {
	return &electors{t: t, nw: mem.NewNetwork(cfg), on: make(map[string]*elector),
		lists:  make(map[membership.ViewID]string),
		layers: func() *NonBlockingCoordinator { return new(NonBlockingCoordinator) }}
}

// start starts a member on the host called name.
func (e *electors) start(name string) *elector {
	e.t.Helper()
	n := &elector{co: e.layers(), name: name}
	cfg := e.nw.Node(name).Config()
	cfg.Local.Payload = name
	cfg.Trace = &channel.Trace{ViewAgreed: func(v *membership.Agreed) { e.installed(n, v) }}
	cfg.Interceptors = []channel.Interceptor{n.co}
	cfg.Interceptors = append(cfg.Interceptors, e.below...)
	cfg.Interceptors = append(cfg.Interceptors, new(TCPFailureDetector))
	c, err := channel.New(cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	n.Channel = c
	if err := c.Start(context.Background()); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { c.Stop(context.Background()) }) // its outcome is looked at by end
	e.on[name] = n
	return n
}

// installed checks a view.
func (e *electors) installed(n *elector, v *membership.Agreed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	bad := func(format string, args ...any) {
		e.wrong = append(e.wrong, fmt.Sprintf("%s, view %d %s: ", n.name, v.Seq, v.ID)+fmt.Sprintf(format, args...))
	}
	list := fmt.Sprint(v.Members)
	if had, ok := e.lists[v.ID]; ok && had != list {
		bad("has %s, elsewhere %s", list, had)
	}
	e.lists[v.ID] = list
	if v.Find(n.Local().Key()) == nil {
		bad("has not the member itself: %s", list)
	}
	if n.last != nil && (v.Seq != n.last.Seq+1 || v.Term() <= n.last.Term()) {
		bad("comes after view %d with term %d", n.last.Seq, n.last.Term())
	}
	n.last = v
}

// end stops a member, after its host has crashed or in order.
func (e *electors) end(name string, crash bool) {
	e.t.Helper()
	if crash {
		e.nw.Crash(name)
	}
	n := e.on[name]
	delete(e.on, name)
	if err := n.Stop(context.Background()); err != nil {
		e.t.Errorf("Stop of %s: %v", name, err)
	}
	if got := n.co.Leadership(); got.Coordinator != nil {
		e.t.Errorf("%s says after its stop that %s coordinates, want nobody", name, got.Coordinator)
	}
}

// agree waits until the members on these hosts, which are all that each of them
// can reach, have one view of exactly themselves, and returns how long it took.
func (e *electors) agree(within time.Duration, names ...string) time.Duration {
	e.t.Helper()
	begin := time.Now()
	for {
		synctest.Wait()
		state, ok := e.state(names)
		took := time.Since(begin)
		switch {
		case ok:
			return took
		case took >= within:
			e.t.Fatalf("seed %d: no view of %v within %v: %s", e.nw.Seed(), names, within, state)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// state describes what the members say, and whether they say the same.
func (e *electors) state(names []string) (string, bool) {
	var text string
	leaders, ok := 0, true
	var id membership.ViewID
	for i, name := range names {
		n := e.on[name]
		v, lead := n.Agreed(), n.co.Leadership()
		text += fmt.Sprintf("\n%s sees %v, has %v, %+v", name, n.View().Members, v, n.co.Stats())
		if v == nil {
			ok = false
			continue
		}
		if i == 0 {
			id = v.ID
		}
		if lead.Local {
			leaders++
		}
		ok = ok && v.ID == id && v.Len() == len(names) && sameMember(lead.Coordinator, v.Coordinator()) && lead.Term == v.Term()
		for _, other := range names {
			ok = ok && v.Find(e.on[other].Local().Key()) != nil
		}
	}
	return text, ok && leaders == 1
}

func (e *electors) judge() {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.wrong) > 0 {
		e.t.Errorf("seed %d: %d times a view was wrong, first: %s", e.nw.Seed(), len(e.wrong), e.wrong[0])
	}
}

// convergence is the bound of the simulation: how long after the last fault all
// members that reach each other have one view and one coordinator. Membership
// takes the drop time, a probe the times of the detector, a retry that does not
// arrive a pause of up to eight times Retry.
const convergence = 15 * time.Second

// Members come, go and are killed, and links are cut and lossy, at random. When
// that has ended all members have one view and one coordinator within the bound;
// and no view is wrong meanwhile. A seed that fails is printed; put it into the
// list.
func TestElectionsSimulation(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5}
	for range 3 {
		seeds = append(seeds, rand.Uint64())
	}
	var longest time.Duration
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				longest = max(longest, simulateElections(t, seed))
			})
		})
	}
	t.Logf("longest time to one view: %v", longest)
}

func simulateElections(t *testing.T, seed uint64) time.Duration {
	rnd := rand.New(rand.NewPCG(seed, 0))
	hosts := []string{"a", "b", "c", "d", "e"}
	e := newElectors(t, mem.Config{Seed: seed, Link: mem.Link{Delay: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.02}})
	for _, host := range hosts { // the order of the addresses is that of the starts
		e.start(host)
	}
	for range 30 {
		time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
		e.fault(rnd, hosts)
	}
	e.nw.Heal()
	e.nw.SetLinks(mem.Link{Delay: time.Millisecond})
	for _, host := range hosts {
		if e.on[host] == nil {
			e.start(host)
		}
	}
	took := e.agree(convergence, hosts...)
	e.judge()
	for _, host := range hosts {
		e.end(host, false)
	}
	return took
}

// fault changes something.
func (e *electors) fault(rnd *rand.Rand, hosts []string) {
	host, other := hosts[rnd.IntN(len(hosts))], hosts[rnd.IntN(len(hosts))]
	switch rnd.IntN(8) {
	case 0:
		e.nw.Isolate(host)
	case 1:
		cut := 1 + rnd.IntN(len(hosts)-1)
		mixed := rnd.Perm(len(hosts))
		var sides [2][]string
		for i, k := range mixed {
			side := 0
			if i >= cut {
				side = 1
			}
			sides[side] = append(sides[side], hosts[k])
		}
		e.nw.Partition(sides[0], sides[1])
	case 2:
		e.nw.Cut(host, other)
	case 3:
		e.nw.SetLinks(mem.Link{Loss: rnd.Float64() / 4, Delay: time.Duration(rnd.IntN(50)) * time.Millisecond})
	case 4, 5:
		if e.on[host] != nil {
			e.end(host, rnd.IntN(2) == 0)
		} else {
			e.start(host)
		}
	default:
		e.nw.Heal()
	}
}
