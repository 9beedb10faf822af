package interceptor

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

func TestSimpleCoordinatorPassesTheSuite(t *testing.T) {
	interceptortest.Run(t, interceptortest.Suite{
		New: func() channel.Interceptor { return new(SimpleCoordinator) },
	})
}

// newSimple starts a simple coordinator as member number local.
func newSimple(t *testing.T, c *SimpleCoordinator, local int) *interceptortest.Harness {
	t.Helper()
	h := interceptortest.New(t, interceptortest.Config{Local: interceptortest.Member(local)}, c)
	h.Start()
	return h
}

// pass lets time go by in a bubble.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// The first of the settled members coordinates; a change makes all wait anew, but
// for the loss of the coordinator, which is told at once.
func TestSimpleCoordinator(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := new(SimpleCoordinator)
		h := newSimple(t, c, 2)
		member := interceptortest.Member
		expect := func(when string, want *membership.Member, local bool, members int) {
			t.Helper()
			got := c.Leadership()
			if !sameMember(got.Coordinator, want) || got.Local != local || len(got.Members) != members || got.Term != 0 || c.IsCoordinator() != local {
				t.Errorf("%s: %+v, want coordinator %v, local %t, %d members", when, got, want, local, members)
			}
		}
		pass(defaultSettle - time.Second)
		expect("before it has settled", nil, false, 0)
		pass(1200 * time.Millisecond)
		expect("alone", member(2), true, 1)
		h.Join(member(3))
		pass(2 * time.Second)
		h.Join(member(1))
		pass(2 * time.Second)
		expect("while members come", member(2), true, 1)
		pass(time.Second)
		expect("when they have settled", member(1), false, 3)
		if got := h.Top.Events(); len(got) != 2 {
			t.Errorf("%d events passed, want 2", len(got))
		}
		h.Part(membership.Failed, member(1))
		h.Flush()
		expect("at the loss of the coordinator", nil, false, 3)
		pass(3 * time.Second)
		expect("after it", member(2), true, 2)
		if got := c.Stats(); got.Views != 3 || !got.Settled || len(h.Top.Views()) != 0 {
			t.Errorf("Stats() = %+v and %d agreed views, want 3 views, none of them agreed", got, len(h.Top.Views()))
		}
		h.Stop(context.Background())
		expect("after the stop", nil, false, 0)
	})
}

// Nobody who reports members waits until they have settled, as the thread of
// Tribes does.
func TestSimpleCoordinatorBlocksNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newSimple(t, new(SimpleCoordinator), 1)
		begin := time.Now()
		h.Join(interceptortest.Members(2, 50)...)
		h.Flush()
		if took := time.Since(begin); took != 0 || len(h.Top.Events()) != 49 {
			t.Errorf("%d events took %v, want 49 and no time", len(h.Top.Events()), took)
		}
	})
}

func TestSimpleCoordinatorQuorum(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := &SimpleCoordinator{Settle: 100 * time.Millisecond, Quorum: 2}
		h := newSimple(t, c, 1)
		pass(time.Second)
		if got := c.Leadership(); got.Coordinator != nil || len(got.Members) != 1 {
			t.Errorf("alone: %+v, want no coordinator", got)
		}
		h.Join(interceptortest.Member(2))
		pass(time.Second)
		if !c.IsCoordinator() {
			t.Errorf("with another one: %+v, want the local member", c.Leadership())
		}
	})
}

func TestSimpleCoordinatorSettings(t *testing.T) {
	for _, tt := range []struct {
		c    *SimpleCoordinator
		want string
	}{
		{&SimpleCoordinator{Settle: time.Millisecond}, "Settle 1ms"},
		{&SimpleCoordinator{Settle: -1}, "Settle -1ns"},
		{&SimpleCoordinator{Quorum: -1}, "Quorum -1"},
	} {
		_, err := tt.c.BindDown(nil, channel.Down{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("BindDown = %v, want an error with %q", err, tt.want)
		}
	}
}
