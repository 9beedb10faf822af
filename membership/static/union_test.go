package static_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/mem"
)

// Heartbeats and a list find the members together: each is told of once, a
// goodbye counts once, and what one of both does not find the other does.
func TestTogetherWithHeartbeats(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{Link: mem.Link{Delay: time.Millisecond}})
		for _, name := range names {
			n.Node(name)
		}
		var mu sync.Mutex
		told := make([][]string, 3)
		all := make([]*channel.Channel, 3)
		for i, name := range names[:3] {
			nd := n.Node(name)
			cfg := nd.Config()
			s, err := static.New(static.Config{Members: suiteList[:2]}) // c is on no list
			if err != nil {
				t.Fatal(err)
			}
			parts := []membership.Service{s, nd.Membership}
			if name == "b" {
				parts = parts[:1] // b has no heartbeats
			}
			cfg.Membership, cfg.Interceptors = membership.Union(parts...), []channel.Interceptor{s}
			if all[i], err = channel.New(cfg); err != nil {
				t.Fatal(err)
			}
			all[i].Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) {
				mu.Lock()
				defer mu.Unlock()
				told[i] = append(told[i], fmt.Sprint(ev.Kind, " ", ev.Member.AddrPort()))
			}))
			if err := all[i].Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer all[i].Stop(context.Background())
		}
		for _, c := range all {
			if err := c.WaitMembers(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if err := all[2].Stop(t.Context()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for i, got := range told[:2] {
			other := fmt.Sprintf("joined 10.0.0.%d:4000", 2-i)
			want := []string{"joined 10.0.0.3:4000", other, "left 10.0.0.3:4000"}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s was told %v, want %v", names[i], got, want)
			}
		}
	})
}
