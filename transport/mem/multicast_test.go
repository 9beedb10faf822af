package mem_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// heard makes every channel write down what it is given.
func heard(channels map[string]*channel.Channel) map[string][]string {
	got := make(map[string][]string)
	hold := make(chan struct{}, 1)
	for host, c := range channels {
		c.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
			hold <- struct{}{}
			got[host] = append(got[host], fmt.Sprint(string(m.Payload()), " ", m.Options))
			<-hold
			return nil
		}))
	}
	return got
}

func TestMulticast(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{})
		channels, _ := watched(t, n, "a", "b", "c")
		got := heard(channels)
		a := channels["a"]
		send := func(payload string) {
			t.Helper()
			if _, err := a.SendAll(t.Context(), []byte(payload), message.Multicast); err != nil {
				t.Errorf("SendAll: %v", err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		send("one")
		n.Cut("a", "b")
		send("two")
		n.Heal()
		n.SetLink("a", "c", mem.Link{Duplicate: 1, Delay: time.Millisecond})
		send("three")
		const o = " byte|multicast"
		want := map[string][]string{"b": {"one" + o, "three" + o}, "c": {"one" + o, "two" + o, "three" + o, "three" + o}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		if _, err := a.SendAll(t.Context(), make([]byte, 66_000), message.Multicast); !errors.Is(err, message.ErrTooLarge) {
			t.Errorf("66000 bytes: %v, want %v", err, message.ErrTooLarge)
		}
	})
}

func TestMulticastLoss(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{Seed: 1})
		channels, _ := watched(t, n, "a", "b", "c")
		got := heard(channels)
		n.SetLinks(mem.Link{Loss: 0.2})
		for range 500 {
			if _, err := channels["a"].SendAll(t.Context(), []byte("x"), message.Multicast); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for _, host := range []string{"b", "c"} {
			if n := len(got[host]); n < 350 || n > 450 {
				t.Errorf("%s heard %d of 500 messages over a link that loses a fifth", host, n)
			}
		}
		if len(got["b"]) == len(got["c"]) {
			t.Errorf("both heard %d messages: their links lose the same ones", len(got["b"]))
		}
	})
}

// A listener that blocks costs messages and nothing else: heartbeats go on, and
// so do other ways.
func TestMulticastStuck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{})
		channels, told := watched(t, n, "a", "b")
		a, b := channels["a"], channels["b"]
		release := make(chan struct{})
		got := 0
		b.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
			if m.Options.Has(message.Multicast) {
				got++
				<-release
			}
			return nil
		}))
		payload := make([]byte, 50_000)
		for range 100 {
			if _, err := a.SendAll(t.Context(), payload, message.Multicast); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.SendAll(t.Context(), nil, message.Sync); err != nil {
			t.Errorf("beside it: %v", err)
		}
		if got := after(time.Minute, told); len(got) != 0 {
			t.Errorf("told %v", got)
		}
		close(release)
		synctest.Wait()
		if got < 20 || got > 25 {
			t.Errorf("%d messages of 50 kB were kept, want about 1 MiB", got)
		}
	})
}

// Multicast before the start and after the end.
func TestBroadcastStates(t *testing.T) {
	n := mem.NewNetwork(mem.Config{})
	nd := n.Node("a")
	c := startChannel(t, n.Node("b"))
	m := message.Message{Source: c.Local()}
	if err := nd.Membership.Broadcast(t.Context(), &m); !errors.Is(err, channel.ErrNotStarted) {
		t.Errorf("before the start: %v, want %v", err, channel.ErrNotStarted)
	}
	if err := nd.Membership.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := nd.Membership.Broadcast(t.Context(), &m); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("after the end: %v, want %v", err, channel.ErrClosed)
	}
}
