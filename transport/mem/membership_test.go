package mem_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/membershiptest"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMembershipSuite(t *testing.T) {
	membershiptest.Run(t, groupOf(mem.Link{}))
}

func TestMembershipSuiteVirtual(t *testing.T) {
	membershiptest.RunVirtual(t, groupOf(mem.Link{}))
}

func TestMembershipSuiteOverBadLinks(t *testing.T) {
	membershiptest.RunVirtual(t, groupOf(mem.Link{Delay: time.Millisecond, Jitter: 3 * time.Millisecond, Duplicate: 0.1}))
}

func groupOf(link mem.Link) func(t testing.TB) *membershiptest.Group {
	return func(t testing.TB) *membershiptest.Group {
		n := mem.NewNetwork(mem.Config{Heartbeat: 50 * time.Millisecond, DropTime: 500 * time.Millisecond, Link: link})
		t.Logf("seed %d", n.Seed())
		node := func(host string) membershiptest.Node {
			nd := n.Node(host)
			local, err := membership.New(membership.Attributes{
				Host: nd.Addr().Addr(), Port: int(nd.Addr().Port()), SecurePort: membership.NoPort, UDPPort: membership.NoPort,
				Domain: "domain", Payload: host, ID: membership.NewID(),
			})
			if err != nil {
				t.Fatal(err)
			}
			return membershiptest.Node{Local: local, Service: nd.Membership, Kill: func() { n.Crash(host) }}
		}
		return &membershiptest.Group{
			Node: func(i int) membershiptest.Node { return node(fmt.Sprint("host ", i)) },
			Broken: func() membershiptest.Node {
				broken := node("broken")
				n.Crash("broken")
				broken.Kill = nil
				return broken
			},
			FailWithin: 5 * time.Second,
		}
	}
}

// history is what a channel was told of its members, by the host's name.
type history struct {
	names  map[membership.Key]string
	begin  time.Time
	events []string
}

func (h *history) MemberEvent(_ context.Context, ev membership.Event) {
	h.events = append(h.events, fmt.Sprintf("%v %v %s", time.Since(h.begin).Round(100*time.Millisecond), ev.Kind, h.names[ev.Member.Key()]))
}

// watched starts a channel on each of the hosts, which know each other, and
// returns what each is told from then on.
func watched(t *testing.T, n *mem.Network, hosts ...string) (map[string]*channel.Channel, map[string]*history) {
	t.Helper()
	t.Logf("seed %d", n.Seed())
	channels, told := make(map[string]*channel.Channel), make(map[string]*history)
	names := make(map[membership.Key]string)
	for _, host := range hosts {
		c := startChannel(t, n.Node(host))
		channels[host], names[c.Local().Key()] = c, host
	}
	for host, c := range channels {
		if err := c.WaitMembers(t.Context(), len(hosts)-1); err != nil {
			t.Fatal(err)
		}
		told[host] = &history{names: names, begin: time.Now()}
		c.Watch(told[host])
	}
	synctest.Wait()
	for _, h := range told {
		h.events = nil
	}
	return channels, told
}

// after lets d pass and returns what was told in that time.
func after(d time.Duration, told map[string]*history) map[string][]string {
	time.Sleep(d)
	synctest.Wait()
	all := make(map[string][]string)
	for host, h := range told {
		if h.events != nil {
			all[host] = slices.Sorted(slices.Values(h.events)) // at one time they come in any order
			h.events = nil
		}
	}
	return all
}

func TestMembershipUnderFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault func(n *mem.Network)
		want  map[string][]string // within 10 s
	}{
		{"none", func(*mem.Network) {}, map[string][]string{}},
		{"partition 2 and 1", func(n *mem.Network) { n.Partition([]string{"a", "b"}, []string{"c"}) }, map[string][]string{
			"a": {"3s failed c"}, "b": {"3s failed c"}, "c": {"3s failed a", "3s failed b"},
		}},
		{"short partition", func(n *mem.Network) {
			n.Partition([]string{"a", "b"}, []string{"c"})
			time.AfterFunc(2*time.Second, n.Heal)
		}, map[string][]string{}},
		{"partition and heal", func(n *mem.Network) {
			n.Partition([]string{"a"}, []string{"b", "c"})
			time.AfterFunc(5250*time.Millisecond, n.Heal) // and the next heartbeats are at 5.5 s

		}, map[string][]string{
			"a": {"3s failed b", "3s failed c", "5.5s joined b", "5.5s joined c"},
			"b": {"3s failed a", "5.5s joined a"}, "c": {"3s failed a", "5.5s joined a"},
		}},
		{"one-way cut", func(n *mem.Network) { n.Cut("a", "b") }, map[string][]string{"b": {"3s failed a"}}},
		{"two do not see each other", func(n *mem.Network) { n.Partition([]string{"a"}, []string{"b"}) }, map[string][]string{
			"a": {"3s failed b"}, "b": {"3s failed a"},
		}},
		{"isolated", func(n *mem.Network) { n.Isolate("b") }, map[string][]string{
			"a": {"3s failed b"}, "b": {"3s failed a", "3s failed c"}, "c": {"3s failed b"},
		}},
		{"crash", func(n *mem.Network) { n.Crash("c") }, map[string][]string{"a": {"3s failed c"}, "b": {"3s failed c"}}},
		{"bad wire", func(n *mem.Network) {
			n.SetLinks(mem.Link{Loss: 0.05, Delay: 50 * time.Millisecond, Jitter: 50 * time.Millisecond})
		}, map[string][]string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				n := mem.NewNetwork(mem.Config{Seed: 1})
				_, told := watched(t, n, "a", "b", "c")
				time.Sleep(1001 * time.Millisecond) // heartbeats have just arrived
				for _, h := range told {
					h.begin = time.Now()
				}
				test.fault(n)
				if diff := cmp.Diff(test.want, after(10*time.Second, told)); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Leaving is seen at once, also by those whom the leaver does not see.
func TestLeave(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{})
		channels, told := watched(t, n, "a", "b", "c")
		n.Cut("a", "c")
		if err := channels["c"].Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{"a": {"0s left c"}, "b": {"0s left c"}}
		if diff := cmp.Diff(want, after(time.Second, told)); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// A change of the local member's payload is told at once.
func TestUpdate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{})
		channels, told := watched(t, n, "a", "b")
		if err := channels["a"].UpdateLocal(func(a *membership.Attributes) { a.Payload = "new" }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string][]string{"b": {"0s updated a"}}, after(100*time.Millisecond, told)); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if got := channels["b"].View().Members[0].Payload(); got != "new" {
			t.Errorf("payload = %q, want %q", got, "new")
		}
	})
}
