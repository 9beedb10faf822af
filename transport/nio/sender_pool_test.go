package nio

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// TestPoolTowardsPlainMember grows when acked messages wait, up to its size,
// with one on each connection.
func TestPoolTowardsPlainMember(t *testing.T) {
	for _, window := range []int{0, 1} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{Window: window, Pool: SenderPool{Size: 3}})
			f := b.member()
			first := b.provenAs(f, true)
			var all []*sending
			for i := range 5 {
				all = append(all, b.send(message.UseAck, fmt.Sprint(i), f))
			}
			conns := []*fakeConn{first, f.accept(), f.accept()}
			got := make(map[string]bool)
			for _, c := range conns {
				got[string(c.frame().Message)] = true
			}
			if want := map[string]bool{"0": true, "1": true, "2": true}; !cmp.Equal(want, got) {
				t.Errorf("on the connections (-want +got):\n%s", cmp.Diff(want, got))
			}
			synctest.Wait()
			if n := f.dialled(); n != 3 {
				t.Errorf("%d connections, want 3", n)
			}
			conns[2].ack()
			conns[2].want("3")
			conns[2].ack()
			conns[2].want("4")
			for _, c := range conns {
				c.ack()
			}
			for _, s := range all {
				s.want(message.Acknowledged, nil)
			}
			if f.dialled() != 3 {
				t.Errorf("%d connections, want 3", f.dialled())
			}
		})
	}
}

// TestUnackedNeedNoPool keeps to one connection while nothing waits for answers.
func TestUnackedNeedNoPool(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.provenAs(f, true)
		busy := b.send(message.UseAck, "busy", f)
		for i := range 50 {
			b.send(0, fmt.Sprint(i), f)
		}
		c.want("busy")
		for i := range 50 {
			c.want(fmt.Sprint(i))
		}
		c.ack()
		busy.want(message.Acknowledged, nil)
		if n := f.dialled(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

// TestWindowOfOne does not ask for numbered acks.
func TestWindowOfOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Window: 1})
		f := b.member()
		s, other := b.send(message.UseAck, "x", f), b.send(message.UseAck, "y", f)
		for _, c := range []*fakeConn{f.accept(), f.accept()} {
			if o := c.frame().Options; o != message.ByteMessage|message.UseAck {
				t.Errorf("options = %v, want use_ack and byte", o)
			}
			c.ack()
		}
		s.want(message.Acknowledged, nil)
		other.want(message.Acknowledged, nil)
	})
}

// TestKindChanges lets a member that answers in another way on a new
// connection be what it says there.
func TestKindChanges(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		for _, plain := range []bool{true, false, true} {
			c := b.provenAs(f, plain)
			want := map[bool]string{true: "plain", false: "numbered"}[plain]
			if got := b.s.Stats()[0].Acks; got != want {
				t.Errorf("Acks = %s, want %s", got, want)
			}
			c.Close()
			synctest.Wait()
		}
	})
}

// TestLinks spreads messages over several connections to a member of ours.
func TestLinks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Pool: SenderPool{Links: 2}, Window: 2})
		f := b.member()
		first := b.proven(f)
		var all []*sending
		for i := range 4 {
			all = append(all, b.send(message.UseAck, fmt.Sprint(i), f))
		}
		second := f.accept()
		var got []string
		for _, c := range []*fakeConn{first, first, second} {
			got = append(got, string(c.frame().Message))
		}
		second.numbered(1)
		got = append(got, string(second.frame().Message))
		slices.Sort(got)
		if want := []string{"0", "1", "2", "3"}; !cmp.Equal(want, got) {
			t.Errorf("on the connections (-want +got):\n%s", cmp.Diff(want, got))
		}
		first.numbered(3)
		second.numbered(2)
		for _, s := range all {
			s.want(message.Acknowledged, nil)
		}
	})
}

func TestMaxUses(t *testing.T) {
	for _, plain := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{Pool: SenderPool{MaxUses: 3, Size: 1}})
			f := b.member()
			var all []*sending
			for i := range 8 {
				all = append(all, b.send(message.UseAck, fmt.Sprint(i), f))
			}
			for i := 0; i < 8; {
				c := f.accept()
				for n := range min(3, 8-i) {
					c.want(fmt.Sprint(i))
					if plain {
						c.ack()
					} else {
						c.numbered(uint64(n + 1))
					}
					i++
				}
				if i%3 == 0 {
					synctest.Wait()
					c.Close()
				}
			}
			for _, s := range all {
				s.want(message.Acknowledged, nil)
			}
			if n := f.dialled(); n != 3 {
				t.Errorf("%d connections, want 3", n)
			}
			if b.has("retry") || b.has("down: error") {
				t.Errorf("events = %v, want neither retries nor errors", b.heard())
			}
		})
	}
}

// TestMaxAge renews an old connection, also one that is never idle, and waits
// for the answers first.
func TestMaxAge(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Pool: SenderPool{MaxAge: 10 * time.Second}})
		f := b.member()
		c := b.proven(f)
		<-time.After(9 * time.Second)
		s := b.send(message.Sync, "x", f)
		c.want("x")
		<-time.After(2 * time.Second)
		late := b.send(message.Sync, "late", f)
		synctest.Wait()
		if n := f.dialled(); n != 1 || !late.pending() {
			t.Errorf("%d connections before the last answer on the old one, want 1", n)
		}
		c.numbered(2)
		s.want(message.Acknowledged, nil)
		c.wantEnd()
		c = f.accept()
		c.want("late")
		c.numbered(1)
		late.want(message.Acknowledged, nil)
		c.wantEnd() // ten seconds later
		if b.has("down: error") {
			t.Errorf("events = %v, want no errors", b.heard())
		}
	})
}

func TestIdleClose(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{Pool: SenderPool{IdleClose: 7 * time.Second}})
		f := b.member()
		c := b.proven(f)
		for i := range 5 {
			<-time.After(6 * time.Second)
			s := b.send(message.UseAck, "x", f)
			c.want("x")
			c.numbered(uint64(i + 2))
			s.want(message.Acknowledged, nil)
		}
		begin := time.Now()
		c.wantEnd()
		took(t, begin, 7*time.Second)
		b.proven(f)
		if b.has("down: error") {
			t.Errorf("events = %v, want no errors", b.heard())
		}
	})
}

func TestPreconnect(t *testing.T) {
	for _, on := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			b := newBench(t, SenderConfig{Pool: SenderPool{Preconnect: on}})
			f := b.member()
			b.s.Prepare(f.member)
			b.s.Prepare(f.member)
			synctest.Wait()
			if got, want := f.dialled(), map[bool]int{true: 1}[on]; got != want {
				t.Errorf("%d connections, want %d", got, want)
			}
			b.proven(f)
			if n := f.dialled(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
			if err := b.s.Stop(t.Context()); err != nil {
				t.Errorf("Stop: %v", err)
			}
			b.s.Prepare(f.member)
			if n := f.dialled(); n != 1 {
				t.Errorf("%d connections after Stop, want 1", n)
			}
		})
	}
}
