package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/transport/mem"
)

// grid is some store nodes and clients on a network in memory.
type grid struct {
	t   testing.TB
	net *mem.Network
	cfg StoreNodeConfig
}

func newGrid(t testing.TB, c StoreNodeConfig) *grid {
	c.Name = "/app"
	return &grid{t: t, net: mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}}), cfg: c}
}

// member is one run of a member of the group.
type member struct {
	*group.Group
	f    *grid
	name string
}

func (f *grid) member(name string) *member {
	f.t.Helper()
	parts := f.net.Node(name)
	g, err := group.New(group.WithName(name), group.WithTransport(parts.Sender, parts.Receiver), group.WithMembership(parts.Membership),
		group.WithInterceptors([]channel.Interceptor{}...))
	must(f.t, err)
	must(f.t, g.Start(context.Background()))
	m := &member{g, f, name}
	f.t.Cleanup(m.end)
	return m
}

// end stops a member; a second time it does nothing.
func (m *member) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = m.Stop(ctx) // the goodbye of one that has crashed goes nowhere
}

// storage is a store node.
type storage struct {
	*StoreNode
	*member
}

// node starts a store node and waits until it serves.
func (f *grid) node(name string) *storage {
	f.t.Helper()
	n := &storage{member: f.member(name)}
	c := f.cfg
	c.Group = n.Group
	var err error
	n.StoreNode, err = NewStoreNode(c)
	must(f.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	must(f.t, n.StoreNode.Start(ctx))
	f.t.Cleanup(n.halt)
	return n
}

// halt ends a store node in order; a second time it does nothing.
func (n *storage) halt() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(n.f.t, n.StoreNode.Close(ctx))
	n.member.end()
}

// crash ends a store node without a word.
func (n *storage) crash() {
	n.f.net.Crash(n.name)
	n.halt()
}

// client starts a client and waits until it knows a store node.
func (f *grid) client(name string, edit ...func(*ClientConfig)) *Client {
	f.t.Helper()
	c := ClientConfig{Group: f.member(name).Group, Name: "/app"}
	for _, e := range edit {
		e(&c)
	}
	k, err := NewClient(c)
	must(f.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	must(f.t, k.Start(ctx))
	f.t.Cleanup(func() { must(f.t, k.Close()) })
	return k
}

// inGrid runs a test in virtual time.
func inGrid(t *testing.T, c StoreNodeConfig, nodes int, run func(t *testing.T, f *grid, n []*storage)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		f := newGrid(t, c)
		var all []*storage
		for i := range nodes {
			all = append(all, f.node(fmt.Sprint("n", i+1)))
		}
		run(t, f, all)
	})
}

// A client passes the checks of all stores, each handle on a web node of its own.
func TestClientConformance(t *testing.T) {
	const most = 32 << 10
	sessiontest.TestStore(t, sessiontest.Options{
		Virtual: true, Forgets: true, MaxData: most,
		New: func(t testing.TB) func() store.Store {
			f := newGrid(t, StoreNodeConfig{MaxData: most})
			f.node("n1")
			f.node("n2")
			clients := 0
			return func() store.Store {
				clients++
				return f.client(fmt.Sprint("web", clients))
			}
		},
	})
}

// load adds 1 to a counter through one client after the other, until stop. It returns how
// often that was acknowledged.
func load(ctx context.Context, t *testing.T, clients []*Client, id string, stop <-chan struct{}) (acked uint64) {
	for {
		select {
		case <-stop:
			return acked
		case <-time.After(100 * time.Millisecond):
		}
		if err := addOne(ctx, clients[acked%uint64(len(clients))], id); err != nil {
			t.Errorf("%s: %v", id, err)
			return acked
		}
		acked++
	}
}

// addOne adds 1 to a counter, which it makes if there is none.
func addOne(ctx context.Context, c store.Store, id string) error {
	for {
		s, err := c.Load(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			s, err = &store.Session{ID: id, Data: make([]byte, 8), Timeout: time.Hour}, nil
		}
		if err != nil {
			return err
		}
		base := s.Version
		s.Version, s.Accessed = base+1, time.Now()
		s.Data = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(s.Data)+1)
		if err = c.Save(ctx, s, base); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// Store nodes crash, leave and come one after the other while users write, each through two
// web nodes in turn: no call fails, and nothing that was acknowledged is lost. Nor does any
// addition take place twice, although calls are repeated whose answer was lost.
func TestStoreNodesComeAndGo(t *testing.T) {
	for _, backups := range []int{1, -1} {
		inGrid(t, StoreNodeConfig{Backups: backups}, 3, func(t *testing.T, f *grid, nodes []*storage) {
			stop := make(chan struct{})
			clients := []*Client{f.client("web1"), f.client("web2")}
			var users sync.WaitGroup
			acked := make([]uint64, 8)
			for i := range acked {
				users.Go(func() { acked[i] = load(context.Background(), t, clients, fmt.Sprint("s", i), stop) })
			}
			for round := range 4 {
				time.Sleep(3 * time.Second)
				if round%2 == 0 {
					nodes[0].crash()
				} else {
					nodes[0].halt()
				}
				time.Sleep(5 * time.Second)
				nodes = append(nodes[1:], f.node(fmt.Sprint("n", 4+round)))
			}
			close(stop)
			users.Wait()
			for i, n := range acked {
				s, err := clients[0].Load(context.Background(), fmt.Sprint("s", i))
				if err != nil || binary.BigEndian.Uint64(s.Data) != n || n < 100 {
					t.Errorf("%d backups: s%d: %v, %v, want %d", backups, i, s, err, n)
				}
			}
			t.Logf("%d backups: %+v, %+v, %v", backups, clients[0].Stats(), clients[1].Stats(), acked)
		})
	}
}

// first returns an id whose calls go to a node first, when the client knows that node.
func (n *storage) first(c *Client) string {
	for {
		_, nodes := c.ranked("")
		if slices.ContainsFunc(nodes, func(x *knownNode) bool { return x.m.ID() == n.Local().ID() }) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for i := range 1000 {
		id := fmt.Sprint("x", i)
		if _, nodes := c.ranked(id); nodes[0].m.ID() == n.Local().ID() {
			return id
		}
	}
	panic("no id")
}

// A save whose answer is lost is repeated at another node, and succeeds: it is not in
// conflict with itself.
func TestAnswerOfASaveIsLost(t *testing.T) {
	inGrid(t, StoreNodeConfig{}, 2, func(t *testing.T, f *grid, nodes []*storage) {
		c := f.client("web")
		ctx := context.Background()
		id := nodes[0].first(c)
		f.net.Cut("n1", "web")
		begin := time.Now()
		must(t, c.Save(ctx, &store.Session{ID: id, Version: 1, Accessed: begin, Timeout: time.Hour}, 0))
		if took := time.Since(begin); took < time.Second || took > 2*time.Second {
			t.Errorf("took %v, want a try at a node whose answer does not come", took)
		}
		if s := c.Stats(); s.Repeated == 0 || s.Nodes != 1 {
			t.Errorf("%+v", s)
		}
		if a, b := nodes[0].Stats(), nodes[1].Stats(); a.Saves != 1 || b.Saves != 1 || b.Conflicts != 0 {
			t.Errorf("%+v, %+v", a, b)
		}
		err := c.Save(ctx, &store.Session{ID: id, Version: 1, Accessed: begin, Timeout: time.Hour}, 0)
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("another save of the same: %v", err)
		}
		begin = time.Now()
		if _, err := c.Load(ctx, id); err != nil || time.Since(begin) > 100*time.Millisecond {
			t.Errorf("load after %v: %v: the node that does not answer is asked again", time.Since(begin), err)
		}
		f.net.Heal()
		time.Sleep(5 * time.Second)
		if s := c.Stats(); s.Nodes != 2 {
			t.Errorf("%+v: the node is back", s)
		}
	})
}

// Without a store node a call fails in time, and says so; when one comes it is used.
func TestNoStoreNode(t *testing.T) {
	inGrid(t, StoreNodeConfig{}, 1, func(t *testing.T, f *grid, nodes []*storage) {
		c := f.client("web")
		ctx := context.Background()
		must(t, c.Save(ctx, &store.Session{ID: "s", Version: 1, Accessed: time.Now()}, 0))
		nodes[0].crash()
		begin := time.Now()
		if _, err := c.Load(ctx, "s"); !errors.Is(err, ErrNoStoreNode) {
			t.Errorf("%v, want %v", err, ErrNoStoreNode)
		}
		if took := time.Since(begin); took != 5*time.Second || c.Ready() {
			t.Errorf("failed after %v, ready %t", took, c.Ready())
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := c.Load(short, "s"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context: %v", err)
		}
		var late sync.WaitGroup
		late.Go(func() {
			if _, err := c.Load(ctx, "s"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a node came in time: %v", err)
			}
		})
		time.Sleep(time.Second)
		f.node("n2")
		late.Wait()
	})
}

// A client that is closed ends its calls, and one that finds nobody says so.
func TestClientStartAndClose(t *testing.T) {
	inGrid(t, StoreNodeConfig{}, 0, func(t *testing.T, f *grid, _ []*storage) {
		c, err := NewClient(ClientConfig{Group: f.member("web").Group, Name: "/app"})
		must(t, err)
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := c.Start(short); !errors.Is(err, ErrNoStoreNode) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start: %v", err)
		}
		f.cfg.Name = "/other"
		f.node("n1")
		var call sync.WaitGroup
		call.Go(func() {
			if err := c.Touch(context.Background(), "s", time.Now()); !errors.Is(err, ErrClosed) {
				t.Errorf("call of a client that was closed: %v", err)
			}
		})
		time.Sleep(3 * time.Second)
		if c.Ready() {
			t.Error("a node of another name serves")
		}
		must(t, c.Close())
		call.Wait()
		if err := c.Start(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("Start: %v", err)
		}
	})
}

// A node that drains answers those that it serves and sends the others elsewhere, so no
// call waits.
func TestDrainedNodeSendsElsewhere(t *testing.T) {
	inGrid(t, StoreNodeConfig{}, 2, func(t *testing.T, f *grid, nodes []*storage) {
		c := f.client("web")
		id := nodes[0].first(c)
		must(t, nodes[0].Drain(context.Background()))
		begin := time.Now()
		must(t, c.Save(context.Background(), &store.Session{ID: id, Version: 1, Accessed: begin}, 0))
		if took := time.Since(begin); took > 100*time.Millisecond || nodes[0].Stats().Elsewhere == 0 {
			t.Errorf("took %v, %+v", took, nodes[0].Stats())
		}
	})
}

// What strangers send is refused and changes nothing.
func TestStoreNodeAndStrangers(t *testing.T) {
	inGrid(t, StoreNodeConfig{}, 1, func(t *testing.T, f *grid, nodes []*storage) {
		g := f.member("stranger")
		time.Sleep(time.Second)
		rpc, err := g.RPC("sessions:/app")
		must(t, err)
		to := []*membership.Member{g.View().Members[0]}
		for _, b := range [][]byte{nil, {9}, {1, 9}, {1, 2, 1, 's'}, slices.Repeat([]byte{1}, 1<<20)} {
			answers, err := rpc.Call(context.Background(), to, b, group.AllReplies)
			if err == nil || answers[0].Outcome != group.CallBadRequest {
				t.Errorf("%.20x: %v, %v", b, answers, err)
			}
		}
		// A path as an id, and a version that does not follow.
		for _, b := range []string{"\x01\x01\x04../x", "\x01\x02\x01s\x00\x00" + "01234567" + "\x05\x05\x00"} {
			answers, err := rpc.Call(context.Background(), to, []byte(b), group.AllReplies)
			if err != nil || len(answers[0].Bytes) != 2 || answers[0].Bytes[1] == 0 {
				t.Errorf("%x: %v, %v", b, answers, err)
			}
		}
		if s := nodes[0].Stats(); s.Sessions != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestStoreNodeConfig(t *testing.T) {
	g := newGrid(t, StoreNodeConfig{}).member("x").Group
	long := string(make([]byte, 151))
	for i, c := range []StoreNodeConfig{
		{}, {Group: g, Name: long}, {Group: g, MaxData: -1}, {Group: g, MaxData: 1 << 30}, {Group: g, Wait: WaitWritten},
		{Group: g, Wait: 9}, {Group: g, Concurrency: -1}, {Group: g, Budget: -1}, {Group: g, Backups: 1000},
	} {
		if _, err := NewStoreNode(c); err == nil {
			t.Errorf("%d: accepted", i)
		}
	}
	for i, c := range []ClientConfig{{}, {Group: g, Name: long}, {Group: g, Timeout: -1}, {Group: g, Try: -1}} {
		if _, err := NewClient(c); err == nil {
			t.Errorf("client %d: accepted", i)
		}
	}
}
