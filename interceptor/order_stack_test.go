package interceptor

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// full is a channel with all layers.
type full struct {
	*channel.Channel
	gzip  *Gzip
	order *Order

	mu  sync.Mutex
	got map[string][]string // by sender and goroutine
}

func newFull(t *testing.T, nw *mem.Network, name, domain string) *full {
	t.Helper()
	n := &full{gzip: new(Gzip), order: new(Order), got: make(map[string][]string)}
	cfg := nw.Node(name).Config()
	cfg.Local.Domain = domain
	cfg.Interceptors = []channel.Interceptor{
		new(Dispatch), new(Throughput), n.gzip, n.order, &DomainFilter{Domain: domain}, new(TCPFailureDetector),
	}
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Channel = c
	c.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		who, count, _ := strings.Cut(string(bytes.TrimRight(m.Payload(), "x")), ":")
		n.mu.Lock()
		defer n.mu.Unlock()
		n.got[who] = append(n.got[who], count)
		return nil
	}))
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return n
}

// Three members of a domain send to each other from several goroutines, in
// every mode, over a network that turns messages round and doubles them, while a
// fourth of another domain looks on: what one goroutine sends arrives once and
// in order.
func TestWholeStackKeepsOrder(t *testing.T) {
	modes := []message.Options{0, message.UseAck, message.Sync, message.Async, message.Async | message.Sync}
	bubble.Test(t, func(t *testing.T) {
		const count = 60
		nw := mem.NewNetwork(mem.Config{Seed: 3, Link: mem.Link{
			Delay: 2 * time.Millisecond, Jitter: 2 * time.Millisecond,
			Duplicate: 0.2, Reorder: 0.5, Spread: 100 * time.Millisecond,
		}})
		nodes := make(map[string]*full)
		for _, name := range []string{"a", "b", "c"} {
			nodes[name] = newFull(t, nw, name, "red")
		}
		other := newFull(t, nw, "d", "blue")
		for _, n := range nodes {
			awaitOthers(t, n, 2)
		}
		var work sync.WaitGroup
		for name, n := range nodes {
			for i, mode := range modes {
				work.Go(func() {
					for k := range count {
						text := fmt.Appendf(nil, "%s/%d:%d%s", name, i, k, strings.Repeat("x", k*20))
						if _, err := n.Post(context.Background(), n.View().Members, text, mode, nil); err != nil {
							t.Errorf("Post = %v, want nil", err)
						}
					}
				})
			}
		}
		work.Wait()
		time.Sleep(10 * time.Second)
		for name, n := range nodes {
			n.expect(t, name, nodes, len(modes), count)
		}
		if got := other.View().Len(); got != 0 || len(other.got) != 0 {
			t.Errorf("the other domain sees %d members and got messages of %d, want none", got, len(other.got))
		}
	})
}

func awaitOthers(t *testing.T, n *full, others int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.WaitView(ctx, func(v *membership.View) bool { return v.Len() == others }); err != nil {
		t.Fatalf("%s sees %d others, want %d: %v", n.Name(), n.View().Len(), others, err)
	}
}

// expect checks that n got all that the others sent, in order.
func (n *full) expect(t *testing.T, name string, nodes map[string]*full, modes, count int) {
	t.Helper()
	var want []string
	for k := range count {
		want = append(want, fmt.Sprint(k))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for from := range nodes {
		for i := range modes {
			who := fmt.Sprintf("%s/%d", from, i)
			got := strings.Join(n.got[who], " ")
			if from != name && got != strings.Join(want, " ") {
				t.Errorf("%s got from %s: %s", name, who, got)
			}
		}
	}
	if st := n.order.Stats(); st.Early == 0 || st.Repeated == 0 || st.Late != 0 || st.Gaps != 0 || st.Held != 0 {
		t.Errorf("%s: order: %+v, want some early and repeated, and nothing late, missing or held", name, st)
	}
	if st := n.gzip.Stats(); st.Received.Compressed == 0 || st.Received.Plain == 0 || st.Dropped != 0 {
		t.Errorf("%s: gzip: %+v, want some of each", name, st)
	}
}

// A member that could not be reached for a while, and one that was cut off from
// one side alone, are in order again within a second of being seen again.
func TestWholeStackAfterAPartition(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{Seed: 5, Link: mem.Link{Delay: time.Millisecond}})
		a, b := newFull(t, nw, "a", ""), newFull(t, nw, "b", "")
		awaitOthers(t, a, 1)
		awaitOthers(t, b, 1)
		send := func(from *full, to *full, text string) {
			t.Helper()
			begin := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := from.Send(ctx, one(to.Local()), []byte(text), message.Sync); err != nil {
				t.Errorf("Send of %s = %v, want nil", text, err)
			}
			time.Sleep(time.Second)
			to.mu.Lock()
			defer to.mu.Unlock()
			if len(to.got[text]) == 0 {
				t.Errorf("%s was not delivered %v after it was sent", text, time.Since(begin))
			}
		}
		for round, cut := range []func(){
			func() { nw.Partition([]string{"a"}, []string{"b"}) },
			func() { nw.Cut("a", "b") },
			func() { nw.Cut("b", "a") },
		} {
			for i := range 3 {
				send(a, b, fmt.Sprintf("a%d%d", round, i))
				send(b, a, fmt.Sprintf("b%d%d", round, i))
			}
			cut()
			time.Sleep(10 * time.Second)
			nw.Heal()
			awaitOthers(t, a, 1)
			awaitOthers(t, b, 1)
			time.Sleep(5 * time.Second)
		}
		send(a, b, "the last of a")
		send(b, a, "the last of b")
	})
}
