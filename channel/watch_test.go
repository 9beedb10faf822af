package channel_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var here4000 = netip.AddrPortFrom(here, 4000)

// watcher writes down what it is told.
type watcher struct{ journal }

func (w *watcher) MemberEvent(_ context.Context, ev membership.Event) {
	w.add(fmt.Sprint(ev.Kind, " ", ev.Member.Payload()))
}

func TestWatch(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		c, err := channel.New(b.config())
		if err != nil {
			t.Fatal(err)
		}
		early, late := new(watcher), new(watcher)
		c.Watch(early)
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, c)
		ms := b.membership
		ms.happen(membership.Joined, named(t, "b"))
		ms.happen(membership.Joined, named(t, "a"))
		ms.happen(membership.Joined, named(t, "a")) // a layer that repeats itself
		ms.happen(membership.Updated, named(t, "b"))
		ms.happen(membership.Updated, named(t, "c")) // who has not joined
		ms.happen(membership.Left, named(t, "c"))
		removeLate := c.Watch(late)
		ms.happen(membership.Failed, named(t, "a"))
		ms.happen(membership.Left, named(t, "b"))
		synctest.Wait()
		want := []string{"joined b", "joined a", "updated b", "failed a", "left b"}
		if diff := cmp.Diff(want, early.take()); diff != "" {
			t.Errorf("the early watcher (-want +got):\n%s", diff)
		}
		// a is older than b
		if diff := cmp.Diff([]string{"joined a", "joined b", "failed a", "left b"}, late.take()); diff != "" {
			t.Errorf("the late watcher (-want +got):\n%s", diff)
		}
		removeLate()
		removeLate()
		ms.happen(membership.Joined, named(t, "c"))
		synctest.Wait()
		if got := late.take(); got != nil {
			t.Errorf("a removed watcher was told %v", got)
		}
		want = []string{"prepare b", "prepare a", "forget a", "forget b", "prepare c"}
		if diff := cmp.Diff(want, b.take()[3:]); diff != "" {
			t.Errorf("at the sender (-want +got):\n%s", diff)
		}
	})
}

// What says nothing new is not passed on.
func TestWatchNothingNew(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		events := 0
		cfg := b.config()
		cfg.Trace = &channel.Trace{MemberEvent: func(membership.Event) { events++ }}
		c := start(t, cfg)
		w := new(watcher)
		c.Watch(w)
		ms := b.membership
		ms.happen(membership.Left, named(t, "a"))
		ms.happen(membership.Failed, named(t, "a"))
		ms.happen(membership.Updated, named(t, "b"))
		ms.happen(membership.Joined, named(t, "a"))
		ms.happen(membership.Joined, named(t, "a"))
		ms.happen(membership.Left, named(t, "a"))
		ms.happen(membership.Left, named(t, "a"))
		synctest.Wait()
		if diff := cmp.Diff([]string{"joined a", "left a"}, w.take()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if events != 2 {
			t.Errorf("%d events traced, want 2", events)
		}
	})
}

// A watcher may remove itself and others, watch, wait and send.
func TestWatchInside(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		c := start(t, b.config())
		second := new(watcher)
		var removeFirst, removeSecond func()
		calls := 0
		removeFirst = c.Watch(channel.MembershipListenerFunc(func(ctx context.Context, ev membership.Event) {
			calls++
			removeSecond()
			removeFirst()
			c.Watch(new(watcher))
			if err := c.WaitMembers(ctx, 1); err != nil {
				t.Errorf("WaitMembers: %v", err)
			}
			if _, err := c.Send(ctx, []*membership.Member{ev.Member}, nil, message.UseAck); err != nil {
				t.Errorf("Send: %v", err)
			}
		}))
		removeSecond = c.Watch(second)
		synctest.Wait()
		b.membership.happen(membership.Joined, named(t, "a"))
		b.membership.happen(membership.Joined, named(t, "b"))
		synctest.Wait()
		if calls != 1 {
			t.Errorf("a watcher that removed itself was called %d times, want once", calls)
		}
		if got := second.take(); got != nil {
			t.Errorf("a watcher that was removed before its turn was told %v", got)
		}
	})
}

// Removed before it was told of those present, a watcher is told nothing.
func TestWatchRemovedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		c := start(t, b.config())
		b.membership.happen(membership.Joined, named(t, "a"))
		hold := make(chan struct{})
		c.Watch(channel.MembershipListenerFunc(func(context.Context, membership.Event) { <-hold }))
		w := new(watcher)
		c.Watch(w)()
		b.membership.happen(membership.Joined, named(t, "b"))
		close(hold)
		synctest.Wait()
		if got := w.take(); got != nil {
			t.Errorf("told %v, want nothing", got)
		}
	})
}

func TestWatchPanics(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		c := start(t, b.config())
		c.Watch(channel.MembershipListenerFunc(func(context.Context, membership.Event) { panic("broken") }))
		w := new(watcher)
		c.Watch(w)
		b.membership.happen(membership.Joined, named(t, "a"))
		b.membership.happen(membership.Left, named(t, "a"))
		synctest.Wait()
		if diff := cmp.Diff([]string{"joined a", "left a"}, w.take()); diff != "" {
			t.Errorf("the watcher behind it (-want +got):\n%s", diff)
		}
		if got := c.Stats().Panics; got != 2 {
			t.Errorf("Stats().Panics = %d, want 2", got)
		}
	})
}

// Watchers that come during a storm of events see a history without gaps: each
// member joins before it leaves, and in the end they know who is there.
func TestWatchInStorm(t *testing.T) {
	b := newBottom()
	c := start(t, b.config())
	const watchersCount, events = 20, 2000
	all := make([]*ledger, watchersCount)
	var registering sync.WaitGroup
	for i := range all {
		all[i] = &ledger{present: make(map[string]bool)}
		registering.Go(func() { // ends at once
			for range i * 100 {
				c.View()
			}
			c.Watch(all[i])
		})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "c", "d", "e", "f"}
	there := make(map[string]bool)
	for range events {
		name := names[rnd.IntN(len(names))]
		kind := membership.Joined
		if there[name] {
			kind = []membership.Kind{membership.Left, membership.Failed, membership.Updated}[rnd.IntN(3)]
		}
		there[name] = kind == membership.Joined || kind == membership.Updated
		b.membership.happen(kind, named(t, name))
	}
	registering.Wait()
	for name, is := range there {
		if is {
			continue
		}
		delete(there, name)
	}
	stop(t, c) // tells all that is waiting
	for i, l := range all {
		if diff := cmp.Diff(there, l.present); diff != "" {
			t.Errorf("watcher %d (-want +got):\n%s", i, diff)
		}
		if l.wrong != nil {
			t.Errorf("watcher %d: %v", i, l.wrong)
		}
	}
}

// ledger keeps who is there by what it is told.
type ledger struct {
	present map[string]bool
	wrong   error
}

func (l *ledger) MemberEvent(_ context.Context, ev membership.Event) {
	name := ev.Member.Payload()
	if l.present[name] != (ev.Kind != membership.Joined) {
		l.wrong = fmt.Errorf("%v %s, present: %v", ev.Kind, name, l.present)
	}
	switch ev.Kind {
	case membership.Joined:
		l.present[name] = true
	case membership.Left, membership.Failed:
		delete(l.present, name)
	}
}

func TestWaitMembers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		c := start(t, b.config())
		result := make(chan error, 1)
		go func() { result <- c.WaitMembers(t.Context(), 2) }() // ends when there are two
		b.membership.happen(membership.Joined, named(t, "a"))
		synctest.Wait()
		if len(result) != 0 {
			t.Error("WaitMembers(2) returned with one member")
		}
		b.membership.happen(membership.Joined, named(t, "b"))
		if err := <-result; err != nil {
			t.Errorf("WaitMembers(2) = %v", err)
		}
		go func() { // ends when a is gone
			result <- c.WaitView(t.Context(), func(v *membership.View) bool { return v.Find(named(t, "a").Key()) == nil })
		}()
		synctest.Wait()
		b.membership.happen(membership.Failed, named(t, "a"))
		if err := <-result; err != nil {
			t.Errorf("WaitView = %v", err)
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		if err := c.WaitMembers(ctx, 2); !errors.Is(err, cause) {
			t.Errorf("WaitMembers with a context that ends = %v, want %v", err, cause)
		}
		go func() { result <- c.WaitMembers(t.Context(), 2) }() // ends with the channel
		synctest.Wait()
		stop(t, c)
		if err := <-result; !errors.Is(err, channel.ErrClosed) {
			t.Errorf("WaitMembers of a channel that stops = %v, want %v", err, channel.ErrClosed)
		}
	})
}

// hide is a layer that lets one member not be seen.
type hide struct{ name string }

func (l hide) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	view := below.View
	below.View = func() *membership.View {
		v := view()
		seen := &membership.View{Seq: v.Seq}
		for _, m := range v.Members {
			if m.Payload() != l.name {
				seen.Members = append(seen.Members, m)
			}
		}
		return seen
	}
	return below, nil
}

func (l hide) BindUp(above channel.Up) channel.Up {
	event := above.Event
	above.Event = func(ev membership.Event) {
		if ev.Member.Payload() != l.name {
			event(ev)
		}
	}
	return above
}

// Views, events, SendAll and WaitMembers are those of the top layer.
func TestViewOfLayers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		cfg := b.config()
		cfg.Interceptors = []channel.Interceptor{hide{"b"}}
		var to []*membership.Member
		b.sender.onSend = func(_ context.Context, dst []*membership.Member, _ *message.Message, r *message.Receipt) error {
			to = dst
			r.SettleAll(dst, message.Written, nil)
			return nil
		}
		c := start(t, cfg)
		w := new(watcher)
		c.Watch(w)
		for _, name := range []string{"a", "b", "c"} {
			b.membership.happen(membership.Joined, named(t, name))
		}
		if err := c.WaitMembers(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if _, err := c.SendAll(t.Context(), nil, 0); err != nil {
			t.Fatal(err)
		}
		if len(to) != 2 || to[0].Payload() != "a" || to[1].Payload() != "c" {
			t.Errorf("SendAll sent to %v, want a and c", to)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{"joined a", "joined c"}, w.take()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
