package replmap

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// joined keeps the words of both sides, in order.
func joined(_ string, a, b *string) *string {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	words := append(strings.Fields(*a), strings.Fields(*b)...)
	slices.Sort(words)
	all := strings.Join(slices.Compact(words), " ")
	return &all
}

// What both sides of a partition have written is resolved with both values, wherever they
// are, and all have the result.
func TestBackupsResolve(t *testing.T) {
	for n := 1; n <= 2; n++ {
		inBubble(t, func(t *testing.T) {
			f := backups(t, n, func(c *Config[string, string]) { c.Resolve = joined })
			all := f.start("a", "b", "c", "d", "e", "f")
			for i := range 40 {
				all[i%6].put(fmt.Sprint("k", i), "old")
			}
			f.net.Partition([]string{"a", "b", "c"}, []string{"d", "e", "f"})
			time.Sleep(10 * time.Second)
			for i := range 40 {
				all[i%3].put(fmt.Sprint("k", i), "one")
				all[3+i%3].put(fmt.Sprint("k", i), "two")
			}
			f.net.Heal()
			time.Sleep(time.Minute)
			checkPlaced(t, n, all...)
			for i := range 40 {
				if got := all[i%6].get(fmt.Sprint("k", i)); got != "one two" {
					t.Errorf("%d backups: k%d is %q", n, i, got)
				}
			}
			stopAll(all...)
		})
	}
}

// A value that is needed to resolve and that no member has any more is given up after a
// while: the other one stays, on all members. Until then it may come back.
func TestBackupsResolveLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, func(c *Config[string, string]) {
			c.Resolve, c.Repair = joined, 2*time.Second
		})
		all := f.start("a", "b", "c", "d", "e", "f")
		f.net.Partition([]string{"a", "b", "c"}, []string{"d", "e", "f"})
		time.Sleep(10 * time.Second)
		all[0].put("k", "one")
		all[3].put("k", "two")
		holders := names(all[0], "k", all...)
		down := func(n *node) bool { return slices.Contains(holders, n.name) }
		rest := slices.DeleteFunc(slices.Clone(all), down)
		crashAll(slices.DeleteFunc(all, func(n *node) bool { return !down(n) })...)
		if _, _, err := rest[0].Get(t.Context(), "k"); !errors.Is(err, ErrNoHolder) {
			t.Errorf("Get: %v", err)
		}
		f.net.Heal()
		time.Sleep(2 * time.Minute)
		checkPlaced(t, 1, rest...)
		for _, n := range rest {
			if got := n.get("k"); got != "two" {
				t.Errorf("%s: k is %q", n.name, got)
			}
		}
		stopAll(rest...)
	})
}

// Who has a value but is not to have it says so: else two members that disagree about who
// is to have it could rely on each other, and both drop it.
func TestHolderConfirms(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := backups(t, 1, nil).start("a", "b", "c")
		all[0].put("k", "v")
		holders := names(all[0], "k", all...)
		e, _ := all[0].r.table.Get("k")
		for _, n := range all {
			here := slices.Contains(holders, n.name)
			p := all[0]
			if n == p {
				p = all[1]
			}
			asks := p.rep.(*native)
			check := func(s entry.State, want mapwire.Has) {
				t.Helper()
				a, err := ask[*mapwire.Checked](t.Context(), asks.peers.Get(n.g.Local().ID()), func(id uint64) mapwire.Message {
					return &mapwire.Check{Request: id, States: []entry.State{s}}
				})
				if err != nil || len(a.Has) != 1 || a.Has[0] != want {
					t.Errorf("%s, which is to have it %v: %+v, %v; want %d", n.name, here, a, err, want)
				}
			}
			if here {
				check(e.State(), mapwire.Holds)
			} else {
				check(e.State(), mapwire.HasProxy)
				stray, _ := all[slices.IndexFunc(all, func(n *node) bool { return n.name == holders[0] })].r.table.Get("k")
				if _, err := n.r.table.Merge(&stray); err != nil {
					t.Error(err)
				}
				check(e.State(), mapwire.HasValue)
			}
			other := e.State()
			other.Sum++
			check(other, mapwire.HasNot)
		}
		stopAll(all...)
	})
}

// A member that is given a value to read keeps it if it is not certain that others have
// it, until it is.
func TestReaderKeepsWhatIsNotPlaced(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := backups(t, 1, nil).start("a", "b", "c")
		all[0].put("k", "v")
		holders := names(all[0], "k", all...)
		i := slices.IndexFunc(all, func(n *node) bool { return !slices.Contains(holders, n.name) })
		n := all[i].rep.(*native)
		e := entry.Entry{Key: "k", Value: []byte("w"), Version: entry.Version{Counter: 100, Node: n.node}, Lifetime: entry.Forever}
		must(t, n.take(n.peers.All()[0], &e))
		if now, _ := n.table.Get("k"); now.Proxy || string(now.Value) != "w" {
			t.Errorf("%+v", now)
		}
		time.Sleep(10 * time.Second)
		checkPlaced(t, 1, all...)
		if got := all[0].get("k"); got != "w" {
			t.Errorf("k is %s", got)
		}
		stopAll(all...)
	})
}

// A member that has to get another value first refuses a write: who writes with WaitOne tries
// again for a while, and then leaves it to the comparisons.
func TestRefusedIsNotRepeatedForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 2, func(c *Config[string, string]) {
			c.Resolve, c.Wait, c.Repair = joined, WaitOne, 24*time.Hour
		})
		all := f.start("a", "b", "c")
		v := entry.Version{Counter: 5, Node: [16]byte{'x'}}
		_, err := all[2].r.table.Merge(&entry.Entry{Key: "k", Proxy: true, Placed: true, Sum: 1, Version: v, Marks: []entry.Version{v}, Lifetime: entry.Forever})
		must(t, err)
		before := f.net.Stats().Delivered
		all[0].put("k", "v")
		time.Sleep(time.Minute)
		if n := f.net.Stats().Delivered - before; n > 2000 {
			t.Errorf("%d messages for a write that one member refuses", n)
		}
		stopAll(all...)
	})
}

// A value that is needed to resolve has its time to come back, also if there was another
// conflict of its key long before, that some other member has resolved.
func TestEachConflictHasItsTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := backups(t, 1, func(c *Config[string, string]) {
			c.Resolve, c.Repair = joined, 2*time.Second
		}).start("a", "b")
		all[0].put("k", "one")
		n := all[0].rep.(*native)
		p := n.peers.All()[0]
		write := func(node byte, counter uint64, value string) entry.Entry {
			v := entry.Version{Counter: counter, Node: [16]byte{node}}
			return entry.Entry{Key: "k", Value: []byte(value), Version: v, Marks: []entry.Version{v}, Lifetime: entry.Forever}
		}
		conflict := func(e entry.Entry) {
			t.Helper()
			n.table.Digest(&e)
			e.Strip()
			if err := n.merge(p, []entry.Entry{e}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		conflict(write('x', 100, "two"))
		solved, _ := n.table.Get("k")
		x := write('x', 101, "one two")
		x.Marks = append(x.Marks, solved.Marks...)
		slices.SortFunc(x.Marks, func(a, b entry.Version) int { return bytes.Compare(a.Node[:], b.Node[:]) })
		must(t, n.merge(p, []entry.Entry{x}))
		time.Sleep(time.Minute)
		y := write('y', 200, "three")
		conflict(y)
		must(t, n.merge(p, []entry.Entry{y})) // it is back
		time.Sleep(10 * time.Second)
		for _, x := range all {
			if got := x.get("k"); got != "one three two" {
				t.Errorf("%s: k is %q", x.name, got)
			}
		}
		n.mu.Lock()
		if len(n.conflicts) > 0 {
			t.Errorf("%d conflicts that are none any more", len(n.conflicts))
		}
		n.mu.Unlock()
		stopAll(all...)
	})
}
