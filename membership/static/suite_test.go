package static_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/membershiptest"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// names are the hosts of the suite's nodes; host i has the address 10.0.0.i+1.
var names = [membershiptest.MaxNodes]string{"a", "b", "c", "d", "e"}

var suiteList = []static.Peer{{Addr: "10.0.0.1:4000"}, {Addr: "10.0.0.2:4000"}, {Addr: "10.0.0.3:4000"}, {Addr: "10.0.0.4:4000"}, {Addr: "10.0.0.5:4000"}}

// newGroup makes the suite's nodes: each is a channel on a network in memory,
// whose only layer is the service. What the suite starts and stops is the
// service alone.
func newGroup(t testing.TB, list func(i int) []static.Peer) *membershiptest.Group {
	n := mem.NewNetwork(mem.Config{Link: mem.Link{Delay: time.Millisecond}})
	for _, name := range names {
		n.Node(name) // gives the host its address
	}
	return &membershiptest.Group{
		Node: func(i int) membershiptest.Node {
			s, err := static.New(static.Config{Members: list(i)})
			if err != nil {
				t.Fatal(err)
			}
			cfg := n.Node(names[i]).Config()
			cfg.Membership = nil
			cfg.Interceptors = []channel.Interceptor{s}
			cfg.Services = channel.ReceiveData | channel.SendData
			cfg.Local = membership.Attributes{Domain: "a domain", Payload: "a payload"}
			c, err := channel.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			return membershiptest.Node{
				Local:   c.Local(),
				Service: &node{s, c},
				Kill: func() {
					n.Crash(names[i])
					// Its goodbye reaches nobody; it ends the goroutines.
					_ = s.Stop(context.Background())
					_ = c.Stop(context.Background())
				},
			}
		},
		Broken: func() membershiptest.Node {
			s, err := static.New(static.Config{Members: suiteList})
			if err != nil {
				t.Fatal(err)
			}
			m, err := membership.New(membership.Attributes{Host: n.Node("b").Addr().Addr(), Port: 4000,
				SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.NewID()})
			if err != nil {
				t.Fatal(err)
			}
			return membershiptest.Node{Local: m, Service: s} // a layer of no channel
		},
		FailWithin: static.DefaultExpiration + 10*time.Millisecond,
	}
}

// node ends the channel with its service.
type node struct {
	*static.Service
	c *channel.Channel
}

func (n *node) Stop(ctx context.Context) error {
	err := n.Service.Stop(ctx)
	return errors.Join(err, n.c.Stop(context.WithoutCancel(ctx)))
}

func TestSuite(t *testing.T) {
	for _, test := range []struct {
		name string
		list func(i int) []static.Peer
	}{
		{"one list for all", func(int) []static.Peer { return suiteList }},
		{"only the others", func(i int) []static.Peer { return slices.Concat(suiteList[:i], suiteList[i+1:]) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			membershiptest.RunVirtual(t, func(t testing.TB) *membershiptest.Group { return newGroup(t, test.list) })
		})
	}
}

// member is a channel with the service as its membership, as package group
// makes it.
func member(t *testing.T, n *mem.Network, name string, cfg static.Config, below ...channel.Interceptor) *channel.Channel {
	t.Helper()
	s, err := static.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := n.Node(name).Config()
	c.Membership, c.Interceptors = s, append([]channel.Interceptor{s}, below...)
	ch, err := channel.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ch.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return ch
}

// Five members under loss and delay stay one group, and one again after a
// partition; messages pass.
func TestPartitionAndLoss(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{Link: mem.Link{Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.05}})
		t.Logf("seed %d", n.Seed())
		for _, name := range names {
			n.Node(name)
		}
		var all []*channel.Channel
		for _, name := range names {
			all = append(all, member(t, n, name, static.Config{Members: suiteList}))
		}
		var events int
		all[0].Watch(channel.MembershipListenerFunc(func(context.Context, membership.Event) { events++ }))
		for _, c := range all {
			if err := c.WaitMembers(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if events != 4 {
			t.Errorf("%d events in two minutes with 5%% loss, want four joins", events)
		}
		n.Partition([]string{"a", "b"}, []string{"c", "d", "e"})
		cut := time.Now()
		for i, want := range []int{1, 1, 2, 2, 2} {
			if err := all[i].WaitView(t.Context(), func(v *membership.View) bool { return v.Len() == want }); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(cut); took > static.DefaultExpiration+time.Second {
			t.Errorf("the partition was seen after %v, want %v", took, static.DefaultExpiration)
		}
		time.Sleep(2 * time.Minute)
		n.Heal()
		healed := time.Now()
		for _, c := range all {
			if err := c.WaitMembers(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(healed); took > static.DefaultMaxPause+static.DefaultTimeout+time.Second {
			t.Errorf("one group again %v after the end of the partition, want %v", took, static.DefaultMaxPause)
		}
	})
}

// dispatched makes members a to c, each with a Dispatch layer, and waits until
// they are a group. Addresses d and e swallow everything.
func dispatched(t *testing.T) (*mem.Network, []*channel.Channel) {
	n := mem.NewNetwork(mem.Config{Window: 4 << 10, Timeout: time.Hour, Link: mem.Link{Delay: time.Millisecond}})
	for _, name := range names {
		n.Node(name)
	}
	for _, name := range names[:3] {
		n.Cut(name, "d")
		n.Cut(name, "e")
	}
	var all []*channel.Channel
	for _, name := range names[:3] {
		all = append(all, member(t, n, name, static.Config{Members: suiteList},
			&interceptor.Dispatch{MaxBytes: 64 << 10}))
	}
	for _, c := range all {
		if err := c.WaitMembers(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
	}
	return n, all
}

// The layers below wait at the stop for what is on its way. A question that is
// on its way into a black hole leaves time for the goodbye.
func TestGoodbyeInSpiteOfBlackHoles(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 10 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				_, all := dispatched(t)
				time.Sleep(after)
				gone := make(chan membership.Event, 10)
				all[1].Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) {
					if ev.Kind == membership.Left || ev.Kind == membership.Failed {
						gone <- ev
					}
				}))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				if err := all[0].Stop(ctx); err != nil {
					t.Errorf("Stop() = %v, want nil", err)
				}
				if took := time.Since(begin); took > 100*time.Millisecond {
					t.Errorf("Stop took %v, want a few ms", took)
				}
				if ev := <-gone; ev.Kind != membership.Left || ev.Member.Key() != all[0].Local().Key() {
					t.Errorf("%s %s, want that %s left", ev.Member, ev.Kind, all[0].Local())
				}
			})
		})
	}
}

// A member that reads nothing fills the queue of the Dispatch layer, whose bound
// is for all. The others do not suffer: they see each other as before.
func TestFullQueueAccusesNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		_, all := dispatched(t)
		release := make(chan struct{})
		all[2].Listen(channel.ListenerFunc(func(context.Context, *message.Message) error {
			<-release
			return nil
		}))
		gone := make(chan *membership.Member, 100)
		for _, c := range all[:2] {
			c.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) {
				if ev.Kind == membership.Failed && ev.Member.Key() != all[2].Local().Key() {
					gone <- ev.Member
				}
			}))
		}
		ctx, cancel := context.WithCancel(t.Context())
		posted := make(chan int)
		go func() { // ends with ctx
			n := 0
			for ctx.Err() == nil {
				to := all[0].View().Find(all[2].Local().Key())
				if to == nil {
					break
				}
				if _, err := all[0].Post(ctx, []*membership.Member{to}, make([]byte, 1<<10), message.Async, nil); err == nil {
					n++
				}
			}
			posted <- n
		}()
		time.Sleep(time.Minute)
		cancel()
		if n := <-posted; n < 50 {
			t.Errorf("%d messages were queued, want enough to fill the queue", n)
		}
		close(release)
		synctest.Wait()
		if len(gone) != 0 {
			t.Errorf("%s failed, want none of those that read", <-gone)
		}
	})
}
