package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/transport/mem"
)

// farm is some nodes of one application on a network in memory.
type farm struct {
	t   *testing.T
	net *mem.Network
	cfg func(c *Config)
}

func newFarm(t *testing.T, cfg func(c *Config)) *farm {
	if cfg == nil {
		cfg = func(*Config) {}
	}
	return &farm{t: t, net: mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}}), cfg: cfg}
}

// server is one run of one node.
type server struct {
	*Manager
	f    *farm
	name string
	g    *group.Group
	node record.Node // the run
}

// boot makes a node whose manager is not started.
func (f *farm) boot(name string) *server {
	f.t.Helper()
	parts := f.net.Node(name)
	g, err := group.New(group.WithName(name), group.WithTransport(parts.Sender, parts.Receiver), group.WithMembership(parts.Membership),
		group.WithInterceptors([]channel.Interceptor{}...))
	must(f.t, err)
	must(f.t, g.Start(context.Background()))
	c := Config{Route: name, Cluster: &Cluster{Group: g, Name: "/app", RemoteSessionEvents: true, RemoteAttributeEvents: true}}
	f.cfg(&c)
	m, err := New(c)
	must(f.t, err)
	return &server{Manager: m, f: f, name: name, g: g, node: record.NodeOf(g.Local().ID())}
}

// start makes nodes and waits until each is ready.
func (f *farm) start(names ...string) []*server {
	f.t.Helper()
	var all []*server
	for _, name := range names {
		n := f.boot(name)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		must(f.t, n.Start(ctx))
		cancel()
		all = append(all, n)
	}
	return all
}

// stop ends a node in order.
func (n *server) stop() {
	n.f.t.Helper()
	must(n.f.t, n.Close())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(n.f.t, n.g.Stop(ctx))
}

// crash ends a node without a word.
func (n *server) crash() {
	n.f.net.Crash(n.name)
	if n.keeper != nil {
		n.keeper.Forget()
	}
	n.Close()
	n.g.Close()
}

// at is the client's next request on another node.
func (c *client) at(n *server) *client {
	c.m = n.Manager
	return c
}

// inFarm runs f in a bubble with nodes, and stops them afterwards.
func inFarm(t *testing.T, names []string, cfg func(*Config), run func(f *farm, n []*server)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		f := newFarm(t, cfg)
		nodes := f.start(names...)
		run(f, nodes)
		for _, n := range nodes {
			if n.g.Local() != nil && n.Usable() {
				n.stop()
			}
		}
	})
}

// Usable reports whether the node was not stopped by the test.
func (n *server) Usable() bool {
	select {
	case <-n.g.Done():
		return false
	default:
		return true
	}
}

// own looks at the node's own copy of a session.
func (n *server) own(id string, name string) (v string, found bool) {
	s, ok := n.Lookup(id)
	if !ok {
		return "", false
	}
	v, found, err := Get[string](s, name)
	must(n.f.t, err)
	return v, found
}

// What a response has promised with WaitAll is on every node when it leaves.
func TestWaitAllIsApplied(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, nil, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		for i := range 100 {
			c.at(n[i%3]).with(func(s *Session) { must(t, Set(s, "k", fmt.Sprint(i))) })
			for _, other := range n {
				if v, _ := other.own(c.id(), "k"); v != fmt.Sprint(i) {
					t.Fatalf("round %d: node %s has %q", i, other.name, v)
				}
			}
		}
		for _, other := range n {
			if s := other.ClusterStats(); s.Degraded+s.LeftOut+s.Gaps+s.Rejected > 0 || s.Current != 2 {
				t.Errorf("%s: %+v", other.name, s)
			}
		}
	})
}

// A node that crashes takes no session with it: its clients go on elsewhere, with a new
// route in their ids, and the old id still leads to the session.
func TestFailover(t *testing.T) {
	inFarm(t, []string{"a", "b"}, nil, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "user", "anna")) })
		old := c.id()
		n[0].crash()
		time.Sleep(5 * time.Second)
		c.at(n[1]).with(func(s *Session) {
			if s.IsNew() || s.Primary() || get[string](t, s, "user") != "anna" {
				t.Errorf("new %v, primary %v, user %q", s.IsNew(), s.Primary(), get[string](t, s, "user"))
			}
			if s.OriginalID() != ID(old) || s.ID().Route() != "b" || s.ID().Random() != ID(old).Random() {
				t.Errorf("id %s was %s", s.ID(), s.OriginalID())
			}
		})
		if ID(c.id()).Route() != "b" {
			t.Errorf("cookie %s", c.id())
		}
		c.with(func(s *Session) {
			if !s.Primary() || s.OriginalID() != "" {
				t.Errorf("primary %v, original %q", s.Primary(), s.OriginalID())
			}
		})
		if _, ok := n[1].Lookup(old); !ok {
			t.Error("the old id leads nowhere")
		}
	})
}

// A node that starts has all sessions before it is ready, however many there are.
func TestStateTransfer(t *testing.T) {
	const sessions = 2500
	small := func(c *Config) { c.Cluster.BlockSessions = 100 }
	inFarm(t, []string{"a", "b"}, small, func(f *farm, n []*server) {
		var ids []string
		for i := range sessions {
			c := newClient(t, n[i%2].Manager)
			c.with(func(s *Session) { must(t, Set(s, "n", fmt.Sprint(i))) })
			ids = append(ids, c.id())
		}
		late := f.boot("c")
		if late.Ready() {
			t.Error("ready before it has started")
		}
		res := newClient(t, late.Manager).with(func(*Session) { t.Error("served before it is ready") })
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d", res.StatusCode)
		}
		must(t, late.Start(context.Background()))
		for i, id := range ids {
			if v, _ := late.own(id, "n"); v != fmt.Sprint(i) {
				t.Fatalf("session %d of %d: %q", i, sessions, v)
			}
		}
		late.stop()
	})
}

// Adds from all nodes at the same time are all counted, and no node differs from another.
func TestAddsFromAllNodes(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, func(c *Config) { c.Route = "" }, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		const rounds = 200
		done := make(chan bool)
		for i := range 3 * rounds {
			go func() {
				defer func() { done <- true }()
				own := &client{t: t, m: n[i%3].Manager, cookie: c.cookie}
				own.with(func(s *Session) {
					_, err := s.Add("hits", 1)
					must(t, err)
					must(t, Set(s, fmt.Sprintf("name%d", i%10), fmt.Sprint(i)))
				})
			}()
		}
		for range 3 * rounds {
			<-done
		}
		time.Sleep(time.Second)
		alike(t, n, 1)
		for _, other := range n {
			s, _ := other.Lookup(c.id())
			if hits := get[int](t, s, "hits"); hits != 3*rounds {
				t.Errorf("%s: %d of %d", other.name, hits, 3*rounds)
			}
		}
	})
}

func digest(h *held) uint64 {
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	return h.Rec.Digest()
}

// alike checks that all nodes have the same sessions, so many.
func alike(t *testing.T, nodes []*server, count int) {
	t.Helper()
	for _, n := range nodes {
		if n.Stats().Sessions != count {
			t.Errorf("%s has %d sessions, want %d", n.name, n.Stats().Sessions, count)
		}
		for h := range n.b.All() {
			first := nodes[0].b.Peek(string(h.ID()))
			if first == nil || digest(first) != digest(h) {
				t.Errorf("%s differs from %s in %s", n.name, nodes[0].name, h.ID())
			}
		}
	}
}

// What has ended stays so: also on a node that was cut off meanwhile and still has it.
func TestInvalidatedBesidePartition(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, nil, func(f *farm, n []*server) {
		c, keep := newClient(t, n[0].Manager), newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		keep.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		f.net.Isolate("c")
		time.Sleep(10 * time.Second)
		id := c.id()
		c.with(func(s *Session) { s.Invalidate() })
		keep.with(func(s *Session) { must(t, Set(s, "here", "a")) })
		other := &client{t: t, m: n[2].Manager, cookie: keep.cookie}
		other.with(func(s *Session) { must(t, Set(s, "there", "c")) })
		f.net.Heal()
		time.Sleep(time.Minute)
		for _, x := range n {
			if _, ok := x.Lookup(id); ok {
				t.Errorf("%s still has what was invalidated", x.name)
			}
			s, ok := x.Lookup(keep.id())
			if !ok || get[string](t, s, "here") != "a" || get[string](t, s, "there") != "c" {
				t.Errorf("%s lacks a write of one side", x.name)
			}
		}
		alike(t, n, 1)
	})
}

// A session expires on all nodes within one sweep and is told of; one that is in use on
// any of them does not.
func TestExpiryInGroup(t *testing.T) {
	short := func(c *Config) {
		c.Timeout, c.Sweep, c.Cluster.TouchInterval = 20*time.Second, time.Second, 2*time.Second
	}
	inFarm(t, []string{"a", "b", "c"}, short, func(f *farm, n []*server) {
		idle, busy := newClient(t, n[0].Manager), newClient(t, n[0].Manager)
		idle.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		busy.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		for i := range 8 {
			time.Sleep(5 * time.Second)
			busy.at(n[i%3]).with(func(s *Session) { get[string](t, s, "k") })
		}
		alike(t, n, 1)
		for _, x := range n {
			if _, ok := x.Lookup(busy.id()); !ok {
				t.Errorf("%s lacks the session in use", x.name)
			}
		}
		n[1].crash()
		time.Sleep(30 * time.Second)
		for _, x := range []*server{n[0], n[2]} {
			if x.Stats().Sessions != 0 {
				t.Errorf("%s has %d sessions after their end", x.name, x.Stats().Sessions)
			}
		}
	})
}

// A node that does not answer costs requests no more than the budget, once, and has
// everything again when it is back.
func TestSilentReplica(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, nil, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "0")) })
		f.net.Isolate("c")
		var longest time.Duration
		for i := range 1000 {
			begin := time.Now()
			c.with(func(s *Session) { must(t, Set(s, "k", fmt.Sprint(i))) })
			longest = max(longest, time.Since(begin))
		}
		if longest > 600*time.Millisecond {
			t.Errorf("longest request %v", longest)
		}
		if v, _ := n[1].own(c.id(), "k"); v != "999" {
			t.Errorf("b has %q", v)
		}
		if s := n[0].ClusterStats(); s.LeftOut == 0 {
			t.Error("not counted")
		}
		f.net.Heal()
		time.Sleep(time.Minute)
		alike(t, n, 1)
		if s := n[0].ClusterStats(); s.Current != 2 {
			t.Errorf("after the heal: %+v", s)
		}
	})
}

// Nodes that start at the same time, and one that is alone, are ready at once.
func TestReadyTogether(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFarm(t, nil)
		var all []*server
		for _, name := range []string{"a", "b", "c", "d"} {
			all = append(all, f.boot(name))
		}
		begin, done := time.Now(), make(chan error)
		for _, n := range all {
			go func() { done <- n.Start(context.Background()) }()
		}
		for range all {
			must(t, <-done)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("ready after %v", took)
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A store for scs on a node that is not ready says so: it is not empty.
func TestSCSNotReady(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newFarm(t, nil).boot("a")
		if err := n.SCS().Commit("token", []byte("data"), time.Now().Add(time.Hour)); !errors.Is(err, ErrNotReady) {
			t.Errorf("Commit = %v", err)
		}
		if _, found, err := n.SCS().Find("token"); found || !errors.Is(err, ErrNotReady) {
			t.Errorf("Find = %v, %v", found, err)
		}
		if err := n.SCS().Delete("token"); !errors.Is(err, ErrNotReady) {
			t.Errorf("Delete = %v", err)
		}
		if all, err := n.SCS().All(); !errors.Is(err, ErrNotReady) {
			t.Errorf("All = %v, %v", all, err)
		}
		n.stop()
	})
}
