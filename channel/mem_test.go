package channel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// group starts a channel on each of the hosts a, b, c and so on, which wait for
// each other.
func group(t *testing.T, n *mem.Network, size int) []*channel.Channel {
	t.Helper()
	all := make([]*channel.Channel, size)
	for i := range all {
		all[i] = start(t, n.Node(string(rune('a'+i))).Config())
	}
	for _, c := range all {
		if err := c.WaitMembers(t.Context(), size-1); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestGroupOverMem(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const size, count = 4, 50
		begin := time.Now()
		all := group(t, mem.NewNetwork(mem.Config{}), size)
		if took := time.Since(begin); took != 0 {
			t.Errorf("the group took %v to form", took)
		}
		got := make([]map[string]int, size)
		for i, c := range all {
			got[i] = make(map[string]int)
			hold := make(chan struct{}, 1) // senders come at the same time
			c.Listen(listen(func(payload string) error {
				hold <- struct{}{}
				got[i][payload]++
				<-hold
				return nil
			}))
		}
		sent := make(chan error, size)
		for i, c := range all {
			go func() { // ends when all is sent
				var err error
				for k := range count {
					_, sendErr := c.SendAll(context.Background(), fmt.Appendf(nil, "%d from %d", k, i), message.Sync)
					err = errors.Join(err, sendErr)
				}
				sent <- err
			}()
		}
		for range all {
			if err := <-sent; err != nil {
				t.Errorf("SendAll: %v", err)
			}
		}
		for i, seen := range got {
			if len(seen) != (size-1)*count {
				t.Errorf("member %d got %d messages, want %d", i, len(seen), (size-1)*count)
			}
			for payload, times := range seen {
				if times != 1 {
					t.Errorf("member %d got %q %d times", i, payload, times)
				}
			}
		}
	})
}

// One leaves, one is killed; the others go on, and a send that names
// them all says what became of it at each.
func TestLeaveAndCrashOverMem(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{DropTime: 2 * time.Second})
		all := group(t, n, 4)
		a, b, c, d := all[0], all[1], all[2], all[3]
		w := make(chan membership.Event, 10)
		defer a.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) { w <- ev }))()
		for range 3 {
			<-w
		}
		everybody := a.View().Members

		begin := time.Now()
		stop(t, b)
		if ev := <-w; ev.Kind != membership.Left || ev.Member.Key() != b.Local().Key() || time.Since(begin) != 0 {
			t.Errorf("after %v: %v %v, want at once %v %v", time.Since(begin), ev.Kind, ev.Member, membership.Left, b.Local())
		}
		n.Crash("c")
		_, err := a.Send(t.Context(), everybody, []byte("x"), message.Sync)
		var se *message.SendError
		if !errors.As(err, &se) {
			t.Fatalf("Send() = %v, want a *message.SendError", err)
		}
		for member, want := range map[*channel.Channel]message.Outcome{b: message.NotSent, c: message.NotSent, d: message.Acknowledged} {
			if r, _ := se.Result(member.Local().Key()); r.Outcome != want {
				t.Errorf("outcome at %v = %v (%v), want %v", member.Local(), r.Outcome, r.Err, want)
			}
		}
		ev := <-w
		took := time.Since(begin)
		if ev.Kind != membership.Failed || ev.Member.Key() != c.Local().Key() || took < 1500*time.Millisecond || took > 2001*time.Millisecond {
			t.Errorf("after %v: %v %v, want within the drop time %v %v", took, ev.Kind, ev.Member, membership.Failed, c.Local())
		}
		again := start(t, n.Node("c").Config())
		if ev := <-w; ev.Kind != membership.Joined || ev.Member.Key() != again.Local().Key() {
			t.Errorf("%v %v, want %v %v", ev.Kind, ev.Member, membership.Joined, again.Local())
		}
		if again.Local().AddrPort() != c.Local().AddrPort() || again.Local().ID() == c.Local().ID() {
			t.Errorf("restarted as %v, before %v: want the same address and a new id", again.Local(), c.Local())
		}
	})
}

// Stop of a channel lets those who sent to it have their outcomes, and its own
// sends leave.
func TestStopUnderLoadOverMem(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond, Jitter: 5 * time.Millisecond}})
		all := group(t, n, 2)
		a, b := all[0], all[1]
		delivered := 0
		b.Listen(listen(func(string) error { delivered++; time.Sleep(time.Millisecond); return nil }))
		acked, completions := 0, 0
		for range 100 {
			_, err := a.Post(t.Context(), b0(a), []byte("x"), message.Sync, func(_ message.ID, err error) {
				completions++
				if err == nil {
					acked++
				}
			})
			if err != nil {
				t.Fatalf("Post: %v", err)
			}
		}
		stop(t, a)
		if completions != 100 || acked != 100 || delivered != 100 {
			t.Errorf("%d completions, %d successes, %d delivered; want 100 each", completions, acked, delivered)
		}
	})
}

// b0 is the only other member that c sees.
func b0(c *channel.Channel) []*membership.Member { return c.View().Members[:1] }

// A member that is not answered does not hold up the next stop beyond its time.
func TestStopAcrossCutOverMem(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{Timeout: time.Hour})
		all := group(t, n, 2)
		a := all[0]
		if _, err := a.Send(t.Context(), b0(a), nil, message.Sync); err != nil {
			t.Fatal(err)
		}
		n.Isolate("b")
		result := make(chan error, 1)
		a.Post(t.Context(), b0(a), nil, message.Sync, func(_ message.ID, err error) { result <- err })
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err := a.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop() = %v", err)
		}
		<-a.Done()
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("the stop took %v, want the 2s that it was given", took)
		}
		var se *message.SendError
		if err := <-result; !errors.As(err, &se) || se.Results[0].Outcome != message.Unknown {
			t.Errorf("the message got %v, want the outcome %v", err, message.Unknown)
		}
	})
}

// A panic in a listener is a refusal for the sender, and the next message is
// delivered.
func TestPanicOverMem(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		all := group(t, mem.NewNetwork(mem.Config{}), 2)
		all[1].Listen(listen(func(payload string) error {
			if payload == "bad" {
				panic("broken")
			}
			return nil
		}))
		_, err := all[0].Send(t.Context(), b0(all[0]), []byte("bad"), message.Sync)
		var se *message.SendError
		var remote *message.RemoteError
		if !errors.As(err, &se) || se.Results[0].Outcome != message.Refused || !errors.As(err, &remote) || !strings.Contains(remote.Reason, "broken") {
			t.Errorf("Send() = %v, want %v with the panic", err, message.Refused)
		}
		if _, err := all[0].Send(t.Context(), b0(all[0]), []byte("good"), message.Sync); err != nil {
			t.Errorf("the next Send() = %v", err)
		}
	})
}

// A message that waits for the application of a node which waits for us ends by
// its timeout.
func TestCallsIntoEachOther(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := mem.NewNetwork(mem.Config{})
		all := group(t, n, 2)
		for _, c := range all {
			c.Listen(channel.ListenerFunc(func(ctx context.Context, m *message.Message) error {
				if string(m.Payload()) == "ask back" {
					_, err := c.Send(ctx, []*membership.Member{m.Source}, []byte("ask back"), message.Sync)
					return err
				}
				return nil
			}))
		}
		begin := time.Now()
		_, err := all[0].Send(t.Context(), b0(all[0]), []byte("ask back"), message.Sync)
		var se *message.SendError
		if took := time.Since(begin); !errors.As(err, &se) || took != 3*time.Second {
			t.Errorf("Send() = %v after %v, want a *message.SendError after 3s", err, took)
		}
	})
}
