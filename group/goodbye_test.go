package group

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/mem"
)

// TestGoodbyeBehindStuckHandler stops a member with a handler that does not return: the
// time of the stop is over then, and the others are told goodbye all the same.
func TestGoodbyeBehindStuckHandler(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		list := static.Config{Members: []static.Peer{{Addr: net.Node("a").Addr().String()}, {Addr: net.Node("b").Addr().String()}}}
		var groups [2]*Group
		for i, host := range []string{"a", "b"} {
			c := net.Node(host).Config()
			g, err := New(WithTransport(c.Sender, c.Receiver), WithStatic(list), WithStopTimeout(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			groups[i] = g
		}
		a, b := groups[0], groups[1]
		for _, g := range groups {
			if err := g.WaitMembers(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		ends := make(chan Event, 1)
		a.Watch(MembershipListenerFunc(func(_ context.Context, ev Event) {
			if ev.Kind != Joined && ev.Kind != membership.Updated {
				ends <- ev
			}
		}))
		entered, release := make(chan struct{}), make(chan struct{})
		serve(t, b, func(context.Context, *Request) ([]byte, error) {
			close(entered)
			<-release
			return nil, nil
		}, HandlerConfig{})
		called := make(chan struct{})
		go func() { // ends with the goodbye
			defer close(called)
			_, _ = rpcIn(t, a).CallAll(t.Context(), nil, AllReplies) // it ends without a reply
		}()
		<-entered
		begin := time.Now()
		go func() { // ends with b
			_ = b.Stop(context.Background()) // it may say what was cut off
		}()
		if ev := <-ends; ev.Kind != Left || time.Since(begin) > 2*time.Second {
			t.Errorf("b has %v after %v, want that it left after the second of its stop", ev.Kind, time.Since(begin))
		}
		close(release)
		<-b.Done()
		<-called
		if err := a.Stop(context.Background()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
