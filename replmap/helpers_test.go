package replmap

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// farm is some members with a map, on a network in memory.
type farm struct {
	t   *testing.T
	net *mem.Network
	cfg func(c *Config[string, string])
	in  func(name string) []channel.Interceptor // layers of a member; nil for none
}

func newFarm(t *testing.T, cfg func(c *Config[string, string])) *farm {
	if cfg == nil {
		cfg = func(*Config[string, string]) {}
	}
	return &farm{t: t, net: mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}}), cfg: cfg}
}

// node is one run of a member.
type node struct {
	*Map[string, string]
	f    *farm
	name string
	g    *group.Group
	down atomic.Bool
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// boot makes a member whose map is not started.
func (f *farm) boot(name string) *node {
	f.t.Helper()
	g := f.member(name)
	c := Config[string, string]{Group: g, Name: "m", Keys: String(), Values: String()}
	f.cfg(&c)
	m, err := New(c)
	must(f.t, err)
	return &node{Map: m, f: f, name: name, g: g}
}

// member makes a member without a map.
func (f *farm) member(name string) *group.Group {
	f.t.Helper()
	parts := f.net.Node(name)
	layers := []channel.Interceptor{}
	if f.in != nil {
		layers = f.in(name)
	}
	g, err := group.New(group.WithName(name), group.WithTransport(parts.Sender, parts.Receiver), group.WithMembership(parts.Membership),
		group.WithInterceptors(layers...))
	must(f.t, err)
	must(f.t, g.Start(context.Background()))
	return g
}

// start makes members and waits until each is ready.
func (f *farm) start(names ...string) []*node {
	f.t.Helper()
	var all []*node
	for _, name := range names {
		n := f.boot(name)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		must(f.t, n.Start(ctx))
		cancel()
		all = append(all, n)
	}
	return all
}

// stop ends a member in order.
func (n *node) stop() {
	n.f.t.Helper()
	must(n.f.t, n.Close(context.Background()))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(n.f.t, n.g.Stop(ctx))
}

// crashAll ends members without a word at the same time.
func crashAll(nodes ...*node) {
	for _, n := range nodes {
		n.f.net.Crash(n.name)
	}
	for _, n := range nodes {
		n.crash()
	}
}

// goodbye ends a member in order, on a network that may not let it.
func (n *node) goodbye() {
	n.f.t.Helper()
	n.down.Store(true)
	must(n.f.t, n.Close(context.Background()))
	n.f.net.Crash(n.name)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = n.g.Stop(ctx)
}

// crash ends a member without a word.
func (n *node) crash() {
	n.f.t.Helper()
	n.down.Store(true)
	n.f.net.Crash(n.name)
	if x, ok := n.rep.(*native); ok {
		x.cancel() // it does nothing more
	}
	must(n.f.t, n.Close(context.Background()))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = n.g.Stop(ctx) // its goodbye goes nowhere
}

func (n *node) put(key, value string) {
	n.f.t.Helper()
	must(n.f.t, n.Put(context.Background(), key, value))
}

// get returns what a key is here, "-" for nothing.
func (n *node) get(key string) string {
	n.f.t.Helper()
	v, there, err := n.Get(context.Background(), key)
	must(n.f.t, err)
	if !there {
		return "-"
	}
	return v
}

// all is what the member has.
func (n *node) all() map[string]string {
	all := make(map[string]string)
	for k, v := range n.All() {
		all[k] = v
	}
	return all
}

// checkSame fails unless all members have the same, and the same sums.
func checkSame(t *testing.T, nodes ...*node) {
	t.Helper()
	want, n := nodes[0].r.table.Sums()
	for _, x := range nodes[1:] {
		if sums, m := x.r.table.Sums(); sums != want || n != m {
			t.Errorf("%s has %v, %s has %v", nodes[0].name, short(nodes[0].all()), x.name, short(x.all()))
		}
	}
}

func short(m map[string]string) string {
	if len(m) > 40 {
		return fmt.Sprintf("%d entries", len(m))
	}
	return fmt.Sprint(m)
}

// inBubble runs a test of a farm in virtual time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	bubble.Test(t, f)
}
