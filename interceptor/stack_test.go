package interceptor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

const (
	dropTime  = 3 * time.Second        // of the memory network
	heartbeat = 500 * time.Millisecond // likewise
)

// node is a channel with the default stack on a host of a memory network.
type node struct {
	*channel.Channel
	fd *TCPFailureDetector

	mu       sync.Mutex
	events   []string // "joined b", "failed b", ...
	received map[string]int
}

// newNode starts a node on the host called name. It is called in a bubble.
func newNode(t *testing.T, nw *mem.Network, name string) *node {
	t.Helper()
	n := &node{fd: new(TCPFailureDetector), received: make(map[string]int)}
	cfg := nw.Node(name).Config()
	cfg.Local.Payload = name
	cfg.Interceptors = []channel.Interceptor{new(Dispatch), n.fd}
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Channel = c
	c.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.events = append(n.events, ev.Kind.String()+" "+ev.Member.Payload())
	}))
	c.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.received[string(m.Payload())]++
		return nil
	}))
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return n
}

// newGroup starts a node on each host and waits until all see all.
func newGroup(t *testing.T, nw *mem.Network, names ...string) map[string]*node {
	t.Helper()
	g := make(map[string]*node)
	for _, name := range names {
		g[name] = newNode(t, nw, name)
	}
	for _, n := range g {
		n.await(t, len(names)-1)
		n.forget()
	}
	return g
}

// await waits until n sees that many others.
func (n *node) await(t *testing.T, others int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.WaitView(ctx, func(v *membership.View) bool { return v.Len() == others }); err != nil {
		t.Fatalf("%s sees %d others, want %d: %v", n.Name(), n.View().Len(), others, err)
	}
	synctest.Wait()
}

func (n *node) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = nil
}

func (n *node) history() string {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.events, ", ")
}

func (n *node) got(payload string) int {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.received[payload]
}

func expectHistory(t *testing.T, n *node, want string) {
	t.Helper()
	if got := n.history(); got != want {
		t.Errorf("events at %s = %q, want %q", n.Name(), got, want)
	}
}

func TestKilledMemberFailsWithinDropTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{Seed: 1})
		g := newGroup(t, nw, "a", "b", "c")
		nw.Crash("c")
		time.Sleep(dropTime + time.Second)
		expectHistory(t, g["a"], "failed c")
		expectHistory(t, g["b"], "failed c")
	})
}

func TestKilledMemberFailsAtOnceForWhoSendsToIt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{Seed: 1})
		g := newGroup(t, nw, "a", "b", "c")
		nw.Crash("c")
		if _, err := g["a"].SendAll(context.Background(), []byte("x"), message.Sync); err == nil {
			t.Error("Send to a killed member = nil, want an error")
		}
		time.Sleep(50 * time.Millisecond)
		expectHistory(t, g["a"], "failed c")
		if got := g["b"].got("x"); got != 1 {
			t.Errorf("the other destination got the message %d times, want once", got)
		}
	})
}

func TestGoodbyeIsSeenAsLeft(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{Seed: 1})
		g := newGroup(t, nw, "a", "b")
		if err := g["b"].Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		expectHistory(t, g["a"], "left b")
		time.Sleep(time.Minute)
		expectHistory(t, g["a"], "left b")
	})
}

// A process that is killed and comes back on its port before it was missed is
// one member again within a drop time, and gets each message once.
func TestRestartedMemberHasNoGhost(t *testing.T) {
	for _, away := range []time.Duration{0, time.Second, 2900 * time.Millisecond, 10 * time.Second} {
		bubble.Test(t, func(t *testing.T) {
			nw := mem.NewNetwork(mem.Config{Seed: 1})
			g := newGroup(t, nw, "a", "b", "c")
			nw.Crash("c")
			time.Sleep(away)
			fresh := newNode(t, nw, "c")
			time.Sleep(dropTime + heartbeat)
			for _, name := range []string{"a", "b"} {
				if v := g[name].View(); v.Len() != 2 {
					t.Errorf("away for %v: %s sees %v, want two others", away, name, v.Members)
				}
			}
			if _, err := g["a"].SendAll(context.Background(), []byte("hello"), message.Sync); err != nil {
				t.Errorf("away for %v: SendAll = %v, want nil", away, err)
			}
			if got := fresh.got("hello"); got != 1 {
				t.Errorf("away for %v: the new process got the message %d times, want once", away, got)
			}
			if got := g["a"].history(); got != "failed c, joined c" && got != "joined c, failed c" {
				t.Errorf("away for %v: events at a = %q, want the old to fail and the new to join", away, got)
			}
		})
	}
}

func TestPartitionIsSeenWhateverTheNumberLostAndHeals(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{Seed: 1})
		g := newGroup(t, nw, "a", "b", "c", "d", "e")
		nw.Partition([]string{"a", "b"}, []string{"c", "d", "e"})
		time.Sleep(dropTime + 1200*time.Millisecond)
		for name, want := range map[string]int{"a": 1, "b": 1, "c": 2, "d": 2, "e": 2} {
			if got := g[name].View().Len(); got != want {
				t.Errorf("%s sees %d others after the partition, want %d", name, got, want)
			}
		}
		nw.Heal()
		time.Sleep(2 * time.Second)
		for name, n := range g {
			if got := n.View().Len(); got != 4 {
				t.Errorf("%s sees %d others after the heal, want 4", name, got)
			}
		}
	})
}

// B hears A and A does not hear B: neither can use the other, and they do not
// join and fail again and again.
func TestOneWayCutDoesNotFlap(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{Seed: 1})
		g := newGroup(t, nw, "a", "b", "c")
		nw.Cut("b", "a")
		time.Sleep(time.Minute)
		for _, name := range []string{"a", "b"} {
			if got := strings.Count(g[name].history(), ","); got > 1 {
				t.Errorf("events at %s in a minute: %q, want no join-leave loop", name, g[name].history())
			}
		}
		expectHistory(t, g["a"], "failed b")
		expectHistory(t, g["c"], "")
		nw.Heal()
		time.Sleep(3 * time.Second)
		for name, n := range g {
			if got := n.View().Len(); got != 2 {
				t.Errorf("%s sees %d others after the heal, want 2", name, got)
			}
		}
	})
}

func TestLossAndDelayMakeNoFalseRemoval(t *testing.T) {
	tests := []struct {
		name string
		link mem.Link
	}{
		{"TwentyPercentLost", mem.Link{Loss: 0.2, Delay: time.Millisecond}},
		{"SlowAndUneven", mem.Link{Delay: 150 * time.Millisecond, Jitter: 150 * time.Millisecond}},
		{"LossAndDelay", mem.Link{Loss: 0.05, Delay: 50 * time.Millisecond, Jitter: 50 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				nw := mem.NewNetwork(mem.Config{Seed: 7, Link: tt.link})
				g := newGroup(t, nw, "a", "b", "c")
				time.Sleep(5 * time.Minute)
				for _, n := range g {
					expectHistory(t, n, "")
				}
			})
		})
	}
}

func TestAsyncMessagesThroughAWholeStack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const count = 300
		nw := mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		g := newGroup(t, nw, "a", "b", "c")
		outcomes := make(chan error, count)
		for i := range count {
			_, err := g["a"].Post(context.Background(), g["a"].View().Members, fmt.Append(nil, "message ", i),
				message.Async|message.Sync, func(_ message.ID, err error) { outcomes <- err })
			if err != nil {
				t.Fatalf("Post %d = %v, want nil", i, err)
			}
		}
		if err := g["a"].Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(outcomes) != count {
			t.Fatalf("%d of %d messages have an outcome after Stop", len(outcomes), count)
		}
		for range count {
			if err := <-outcomes; err != nil {
				t.Errorf("outcome of a message before Stop = %v, want nil", err)
			}
		}
		for i := range count {
			for _, name := range []string{"b", "c"} {
				if got := g[name].got(fmt.Sprint("message ", i)); got != 1 {
					t.Fatalf("message %d was delivered to %s %d times, want once", i, name, got)
				}
			}
		}
	})
}
