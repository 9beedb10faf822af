//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// electionStack is that of a Java node that takes part in elections, and the drop time of its group.
const (
	electionStack = "dispatch,coord,tcpfd"
	electionDrop  = time.Second
)

// elector is a member of this module that takes part in elections.
type elector struct {
	*node
	co *interceptor.NonBlockingCoordinator
}

// ports are free ones in rising order, which is that in which members coordinate.
func ports(t *testing.T, count int) []int {
	t.Helper()
	var all []int
	for len(all) < count {
		if p := freePort(t); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return all
}

// startElector starts a member of this module, perhaps with a layer below the coordinator.
func startElector(ctx context.Context, t *testing.T, group string, port int, below ...channel.Interceptor) *elector {
	t.Helper()
	co := &interceptor.NonBlockingCoordinator{Alone: 30 * time.Second} // it waits for the Java node
	layers := append([]channel.Interceptor{new(interceptor.Dispatch), co}, below...)
	return &elector{startNode(ctx, t, goConfig{
		Group: group, Port: port, Drop: electionDrop, Layers: append(layers, new(interceptor.TCPFailureDetector)),
	}), co}
}

func startJavaElector(ctx context.Context, t *testing.T, v version, group string, port int) *peer {
	t.Helper()
	return startPeer(ctx, t, v, peerConfig{Group: group, Port: port, Stack: electionStack, Drop: electionDrop, Flags: []string{"--heartbeat", "1000"}})
}

// agree waits until all have the view of exactly these members, the first of which coordinates. Those of this module
// have it under one id; Java nodes do not tell theirs.
func agree(ctx context.Context, t *testing.T, first member, all ...member) {
	t.Helper()
	var want []string
	var ours []*elector
	for _, m := range all {
		addr, _ := m.identity()
		want = append(want, addr)
		if m, ok := m.(*elector); ok {
			ours = append(ours, m)
		}
	}
	slices.Sort(want) // all have ports of five digits on one host
	leader, _ := first.identity()
	begin := time.Now()
	for _, m := range all {
		if m, ok := m.(*peer); ok {
			m.waitEvent(ctx, "coord", func(e event) bool {
				return strings.HasPrefix(e.Type, "EVT_CONF_RX") && e.Coordinator == leader && slices.Equal(e.View, want)
			})
		}
	}
	id := oneView(ctx, t, want, ours)
	for _, m := range ours {
		for now := range m.co.Changes(ctx) {
			if now.Coordinator != nil && now.Coordinator.AddrPort().String() == leader && now.Local == (m.addr == leader) {
				break
			}
		}
	}
	if ctx.Err() != nil {
		t.Fatal(context.Cause(ctx))
	}
	t.Logf("%d members agreed on %s after %v, term %d", len(all), leader, time.Since(begin).Round(time.Millisecond), id.Term())
}

// oneView waits until all have a view of these members under one id, and returns that. Before, there may be several
// views of them: each node that is busy for long elects again.
func oneView(ctx context.Context, t *testing.T, want []string, ours []*elector) membership.ViewID {
	t.Helper()
	found, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	views := make([]membership.ViewID, len(ours))
	var id membership.ViewID // the one that all have
	var all sync.WaitGroup
	for i, m := range ours {
		all.Go(func() {
			_, err := m.group.WaitAgreed(found, func(v *membership.Agreed) bool {
				mu.Lock()
				defer mu.Unlock()
				views[i] = membership.ViewID{}
				if slices.Equal(addressesOf(v), want) {
					views[i] = v.ID
				}
				if views[i] != (membership.ViewID{}) && len(slices.Compact(slices.Clone(views))) == 1 {
					id = v.ID
					stop()
				}
				return found.Err() != nil
			})
			if err != nil && found.Err() == nil {
				t.Errorf("%s: %v", m, err)
			}
		})
	}
	all.Wait()
	if len(ours) > 0 && id == (membership.ViewID{}) {
		for _, m := range ours {
			t.Errorf("%s: no view of %v that all have, has %+v, %+v: %v", m, want, m.group.Agreed(), m.co.Stats(), context.Cause(ctx))
		}
		t.FailNow()
	}
	return id
}

func addressesOf(v *membership.Agreed) []string {
	var all []string
	for _, m := range v.Members {
		all = append(all, m.AddrPort().String())
	}
	return all
}

// tokenTap is a layer below a coordinator: it tells of each token that comes, and loses those that come while it is told
// to.
type tokenTap struct {
	came   chan struct{}
	lose   atomic.Bool
	header []byte
}

func newTokenTap() *tokenTap { return &tokenTap{came: make(chan struct{}, 1)} }

// await waits until a token comes, or has come and was not waited for.
func (l *tokenTap) await(ctx context.Context, t *testing.T) {
	t.Helper()
	select {
	case <-l.came:
	case <-ctx.Done():
		t.Fatal(context.Cause(ctx))
	}
}

// drain forgets a token that has come.
func (l *tokenTap) drain() {
	select {
	case <-l.came:
	default:
	}
}

func (l *tokenTap) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	var err error
	l.header, err = hex.DecodeString("aa26dee39e5a413faf86fa9263ca0d3f")
	return below, err
}

func (l *tokenTap) BindUp(above channel.Up) channel.Up {
	up := above
	up.Receive = func(ctx context.Context, m *message.Message) error {
		if bytes.HasPrefix(m.Payload(), l.header) {
			lost := l.lose.Load()
			select {
			case l.came <- struct{}{}:
			default:
			}
			if lost {
				return nil // it was acknowledged already
			}
		}
		return above.Receive(ctx, m)
	}
	return up
}

// TestJavaCoordinates elects a Java node, which takes over from us and is killed; and elects it again although the
// token that it sends round is lost, for which Tribes alone waits for ever.
func TestJavaCoordinates(t *testing.T) {
	for _, v := range longOr(v101) {
		t.Run(string(v), func(t *testing.T) { javaCoordinates(t, v) })
	}
}

func javaCoordinates(t *testing.T, v version) {
	ctx := testContext(t)
	group, port := freeGroup(t), ports(t, 3)
	tap := newTokenTap()
	b := startElector(ctx, t, group, port[1], tap)
	c := startElector(ctx, t, group, port[2])
	agree(ctx, t, b, b, c)
	java := startJavaElector(ctx, t, v, group, port[0])
	agree(ctx, t, java, java, b, c)
	java.kill()
	agree(ctx, t, b, b, c)

	tap.drain()
	tap.lose.Store(true)
	java = startJavaElector(ctx, t, v, group, port[0])
	tap.await(ctx, t) // its request
	tap.lose.Store(false)
	agree(ctx, t, java, java, b, c)
}

// TestJavaIsKilledDuringAnElection elects one of us, with a Java node as another member, which is killed as soon as the
// token of a later election reaches the one behind it; and lets it take over when we leave.
func TestJavaIsKilledDuringAnElection(t *testing.T) {
	for _, v := range longOr(v101) {
		t.Run(string(v), func(t *testing.T) { javaIsKilledDuringAnElection(t, v) })
	}
}

func javaIsKilledDuringAnElection(t *testing.T, v version) {
	ctx := testContext(t)
	group, port := freeGroup(t), ports(t, 4)
	a := startElector(ctx, t, group, port[0])
	java := startJavaElector(ctx, t, v, group, port[1])
	agree(ctx, t, a, a, java)
	a.leave()
	agree(ctx, t, java, java)

	a = startElector(ctx, t, group, port[0])
	agree(ctx, t, a, a, java)
	tap := newTokenTap()
	d := startElector(ctx, t, group, port[3], tap)
	tap.await(ctx, t)
	java.kill()
	agree(ctx, t, a, a, d)
}

// TestElectionsOfOtherLines elects a Java node of each other line, and one of us instead.
func TestElectionsOfOtherLines(t *testing.T) {
	for _, v := range []version{v90, v110} {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			group, port := freeGroup(t), ports(t, 3)
			c := startElector(ctx, t, group, port[2])
			java := startJavaElector(ctx, t, v, group, port[1])
			agree(ctx, t, java, java, c)
			a := startElector(ctx, t, group, port[0])
			agree(ctx, t, a, a, java, c)
		})
	}
}

// TestSimpleCoordinators lets a SimpleCoordinator of Java and one of ours settle, each of which waits for 2.5 s after each
// change. Both name the same member, whichever is the first.
func TestSimpleCoordinators(t *testing.T) {
	for _, first := range []string{"java", "go"} {
		t.Run(first+" first", func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			group, port := freeGroup(t), ports(t, 2)
			if first == "go" {
				slices.Reverse(port)
			}
			co := new(interceptor.SimpleCoordinator)
			n := startNode(ctx, t, goConfig{Group: group, Port: port[1], Layers: []channel.Interceptor{co, new(interceptor.TCPFailureDetector)}})
			p := startPeer(ctx, t, v101, peerConfig{Group: group, Port: port[0], Stack: "simplecoord,tcpfd"})
			want := []string{n.addr, p.addr}
			slices.Sort(want)
			p.waitEvent(ctx, "view", func(e event) bool { return slices.Equal(e.View, want) })
			for now := range co.Changes(ctx) {
				if len(now.Members) == 2 && now.Coordinator != nil && now.Local == (first == "go") {
					return
				}
			}
			t.Errorf("%s names %+v, want %s to coordinate: %v", n, co.Leadership(), want[0], context.Cause(ctx))
		})
	}
}
