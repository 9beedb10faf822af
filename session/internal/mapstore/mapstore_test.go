package mapstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/transport/mem"
)

// farm is some members with the store, on a network in memory.
type farm struct {
	t     testing.TB
	net   *mem.Network
	edit  func(c *Config)
	nodes int
}

type node struct {
	*Store
	f    *farm
	name string
	g    *group.Group
}

func newFarm(t testing.TB, edit func(c *Config)) *farm {
	return &farm{t: t, net: mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}}), edit: edit}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// member makes a member without the store.
func (f *farm) member(name string) *group.Group {
	f.t.Helper()
	parts := f.net.Node(name)
	g, err := group.New(group.WithName(name), group.WithTransport(parts.Sender, parts.Receiver),
		group.WithMembership(parts.Membership), group.WithInterceptors([]channel.Interceptor{}...))
	must(f.t, err)
	must(f.t, g.Start(context.Background()))
	return g
}

// start makes a member whose store is ready; it is stopped at the end of the test.
func (f *farm) start() *node {
	f.t.Helper()
	f.nodes++
	name := fmt.Sprint("n", f.nodes)
	n := &node{f: f, name: name, g: f.member(name)}
	c := Config{Group: n.g, Name: "/shop"}
	if f.edit != nil {
		f.edit(&c)
	}
	var err error
	n.Store, err = New(c)
	must(f.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	must(f.t, n.Start(ctx))
	f.t.Cleanup(n.stop)
	return n
}

// stop ends a member; a second time it does nothing.
func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(n.f.t, n.Close(ctx))
	_ = n.g.Stop(ctx) // of one that has crashed, the goodbye goes nowhere
}

// The store passes the checks of all stores, with handles on different members.
func TestConformance(t *testing.T) {
	for _, tt := range []struct{ members, backups int }{{2, 0}, {3, 1}} {
		members := tt.members
		t.Run(fmt.Sprintf("%d members, %d backups", members, tt.backups), func(t *testing.T) {
			sessiontest.TestStore(t, sessiontest.Options{
				Virtual: true, Forgets: true, MaxData: 64 << 10,
				New: func(t testing.TB) func() store.Store {
					f := newFarm(t, func(c *Config) { c.MaxData, c.Backups = 64<<10, tt.backups })
					var all []*node
					for range members {
						all = append(all, f.start())
					}
					next := 0
					return func() store.Store {
						next++
						return &timed{all[next%members].Store}
					}
				},
			})
		})
	}
}

// timed is a store whose loads take a moment of virtual time, as those of a network do: a
// reader that never waits would not let the others have any.
type timed struct{ *Store }

func (s *timed) Load(ctx context.Context, id string) (*store.Session, error) {
	time.Sleep(time.Millisecond)
	return s.Store.Load(ctx, id)
}
