package replmap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

// What one member writes, all have when the write returns; deletions too.
func TestWritesAreEverywhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b", "c")
		for i, n := range all {
			for j := range 10 {
				n.put(fmt.Sprintf("%d%d", i, j), n.name)
			}
		}
		all[0].put("00", "again")
		for _, n := range all {
			if n.get("00") != "again" || n.get("29") != "c" || n.Len() != 30 {
				t.Errorf("%s has %v", n.name, n.all())
			}
		}
		if there, err := all[2].Delete(context.Background(), "00"); !there || err != nil {
			t.Errorf("Delete = %v, %v", there, err)
		}
		if there, err := all[1].Delete(context.Background(), "00"); there || err != nil {
			t.Errorf("Delete of nothing = %v, %v", there, err)
		}
		for _, n := range all {
			if n.get("00") != "-" || n.Len() != 29 {
				t.Errorf("%s has %v", n.name, n.all())
			}
			if s := n.Stats(); s.Members != 2 || s.Current != 2 || s.Entries != 29 || s.Alone+s.LeftOut+s.Rejected > 0 {
				t.Errorf("%s: %+v", n.name, s)
			}
		}
		checkSame(t, all...)
		for _, n := range all {
			n.stop()
		}
	})
}

// A member that joins has everything when Start returns, also what is written meanwhile,
// in blocks of any size.
func TestJoinerHasEverything(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config[string, string]) { c.BlockEntries = 7 })
		first := f.start("a", "b")
		for i := range 300 {
			first[0].put(fmt.Sprint("k", i), "old")
		}
		_, err := first[0].Delete(context.Background(), "k0")
		must(t, err)
		var writers sync.WaitGroup
		for _, n := range first {
			writers.Go(func() {
				for i := range 200 {
					n.put(fmt.Sprint("k", 1+i), "new")
					n.put(fmt.Sprint(n.name, i), "new")
				}
			})
		}
		c := f.start("c")[0]
		writers.Wait()
		if s := c.Stats(); s.Transferred < 300 {
			t.Errorf("%d entries came with the state transfer", s.Transferred)
		}
		time.Sleep(2 * time.Second) // repairs at the start are over
		if c.get("k0") != "-" || c.get("k1") != "new" || c.get("k299") != "old" || c.Len() != 299+400 {
			t.Errorf("c has %v", short(c.all()))
		}
		checkSame(t, first[0], first[1], c)
		for _, n := range append(first, c) {
			n.stop()
		}
	})
}

// A provider that dies in the middle of a transfer is replaced, and the joiner goes on
// where it was.
func TestTransferGoesOnElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config[string, string]) { c.BlockEntries = 1 })
		all := f.start("a", "b")
		for i := range 200 {
			all[0].put(fmt.Sprint("k", i), "v")
		}
		c := f.boot("c")
		started := make(chan error, 1)
		go func() { started <- c.Start(context.Background()) }()
		for c.Stats().Transferred < 50 {
			time.Sleep(time.Millisecond)
		}
		provider, other := all[0], all[1]
		if len(c.rep.(*native).peers.All()) != 2 {
			t.Fatal("c does not know both")
		}
		if asked(c) == other.g.Local().ID() {
			provider, other = other, provider
		}
		provider.crash()
		must(t, <-started)
		if s := c.Stats(); c.Len() != 200 || s.Transferred > 210 {
			t.Errorf("%d entries, %+v", c.Len(), s)
		}
		checkSame(t, other, c)
		other.stop()
		c.stop()
	})
}

// asked returns the member of which n waits for an answer.
func asked(n *node) membership.ID {
	e := n.rep.(*native)
	for {
		e.mu.Lock()
		for _, q := range e.questions {
			e.mu.Unlock()
			return q.p.Node
		}
		e.mu.Unlock()
		time.Sleep(100 * time.Microsecond)
	}
}

// Members that start at the same time are one map, whichever is ready first.
func TestStartTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		var all []*node
		var starts sync.WaitGroup
		for _, name := range []string{"a", "b", "c", "d"} {
			n := f.boot(name)
			all = append(all, n)
			starts.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				if err := n.Start(ctx); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				n.put(name, name)
			})
		}
		starts.Wait()
		time.Sleep(5 * time.Second)
		checkSame(t, all...)
		for _, n := range all {
			if s := n.Stats(); s.Members != 3 || s.Current != 3 || s.Entries != 4 {
				t.Errorf("%s: %+v", n.name, s)
			}
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// Of writes on both sides of a partition the one with the higher version stays, what only
// one side wrote is there, what one side deleted is gone, and all are the same.
func TestPartitionHeals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b", "c")
		a, c := all[0], all[2]
		a.put("gone", "x")
		a.put("both", "x")
		f.net.Partition([]string{"a", "b"}, []string{"c"})
		time.Sleep(10 * time.Second)
		a.put("left", "1")
		a.put("both", "left, once")
		c.put("right", "1")
		c.put("both", "right, first")
		c.put("both", "right, second")
		_, err := c.Delete(context.Background(), "gone")
		must(t, err)
		f.net.Heal()
		time.Sleep(15 * time.Second)
		for _, n := range all {
			if n.get("left") != "1" || n.get("right") != "1" || n.get("gone") != "-" || n.get("both") != "right, second" {
				t.Errorf("%s has %v", n.name, n.all())
			}
			if s := n.Stats(); s.Current != 2 {
				t.Errorf("%s: %+v", n.name, s)
			}
		}
		checkSame(t, all...)
		for _, n := range all {
			n.stop()
		}
	})
}

// With a function for conflicts nothing is overruled; a value that was written with
// knowledge of the other replaces it all the same.
func TestResolve(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config[string, string]) {
			c.Resolve = func(_ string, a, b *string) *string {
				if a == nil || b == nil {
					return nil // deletions win
				}
				v := max(*a, *b) + "+" + min(*a, *b)
				return &v
			}
		})
		all := f.start("a", "b")
		a, b := all[0], all[1]
		a.put("k", "old")
		a.put("gone", "old")
		f.net.Partition([]string{"a"}, []string{"b"})
		time.Sleep(10 * time.Second)
		a.put("k", "1")
		b.put("k", "2")
		_, err := a.Delete(context.Background(), "gone")
		must(t, err)
		b.put("gone", "new")
		b.put("gone", "newer")
		f.net.Heal()
		time.Sleep(15 * time.Second)
		for _, n := range all {
			if n.get("k") != "2+1" || n.get("gone") != "-" {
				t.Errorf("%s has %v", n.name, n.all())
			}
		}
		a.put("k", "3")
		if b.get("k") != "3" {
			t.Errorf("%v after a write that knew of all", b.all())
		}
		checkSame(t, all...)
		a.stop()
		b.stop()
	})
}

// What a lost message left different is found by comparing, though nobody has noticed.
func TestComparisonFindsDifferences(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b", "c")
		a, b := all[0], all[1]
		a.put("k", "1")
		e, _ := b.r.table.Get("k")
		e.Value, e.Version.Counter = []byte("2"), e.Version.Counter+1
		_, err := b.r.table.Merge(&e) // here alone
		must(t, err)
		time.Sleep(2 * time.Minute)
		checkSame(t, all...)
		if a.get("k") != "2" || a.Stats().Repaired+b.Stats().Repaired+all[2].Stats().Repaired == 0 {
			t.Errorf("a has %v, %+v", a.all(), a.Stats())
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// Entries end at their time on each member, and none is brought back.
func TestLifetimes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		must(t, all[0].PutFor(context.Background(), "k", "v", 5*time.Second))
		time.Sleep(4 * time.Second)
		late := f.start("c")[0]
		for _, n := range append(all, late) {
			if n.get("k") != "v" {
				t.Errorf("%s: too early", n.name)
			}
		}
		time.Sleep(1100 * time.Millisecond)
		for _, n := range append(all, late) {
			if n.get("k") != "-" {
				t.Errorf("%s: too late", n.name)
			}
		}
		time.Sleep(2 * time.Minute)
		checkSame(t, append(all, late)...)
		if all[0].Len() != 0 {
			t.Error("it is back")
		}
		for _, n := range append(all, late) {
			n.stop()
		}
		if err := all[0].PutFor(context.Background(), "k", "v", 0); err == nil {
			t.Error("a lifetime of 0 is accepted")
		}
	})
}

// A map is not usable before Start and after Close, and refuses what is too large.
func TestUsable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config[string, string]) { c.MaxKey, c.MaxValue = 3, 5 })
		n := f.boot("a")
		ctx := context.Background()
		if err := n.Put(ctx, "k", "v"); !errors.Is(err, ErrNotReady) {
			t.Errorf("before Start: %v", err)
		}
		if _, _, err := n.Get(ctx, "k"); !errors.Is(err, ErrNotReady) || n.Len() != 0 || len(n.all()) != 0 {
			t.Errorf("before Start: %v", err)
		}
		must(t, n.Start(ctx))
		for _, kv := range [][2]string{{"long", "v"}, {"k", "longer"}} {
			if err := n.Put(ctx, kv[0], kv[1]); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%q: %v", kv, err)
			}
		}
		must(t, n.Put(ctx, "", "")) // as good as any
		if n.get("") != "" || n.Len() != 1 {
			t.Errorf("has %v", n.all())
		}
		n.stop()
		if err := n.Put(ctx, "k", "v"); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := n.Start(ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A member without the map, and one that has it in another form, are none of its members.
func TestStrangers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		plain := f.member("plain")
		a := f.start("a")[0]
		f.cfg = func(c *Config[string, string]) { c.Values = JSON[string]() }
		b := f.start("b")[0]
		time.Sleep(5 * time.Second)
		a.put("k", "v")
		if a.Stats().Members != 0 || b.Stats().Members != 0 || a.Stats().Incompatible+b.Stats().Incompatible == 0 {
			t.Errorf("%+v, %+v", a.Stats(), b.Stats())
		}
		a.stop()
		b.stop()
		must(t, plain.Stop(context.Background()))
	})
}
