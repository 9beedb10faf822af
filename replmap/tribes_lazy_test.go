package replmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
	"github.com/gotribes/tribes/transport/mem"
)

// lazyFarm is a farm of maps that talk as Java nodes with a LazyReplicatedMap do.
func lazyFarm(t *testing.T) *farm {
	return newFarm(t, func(c *Config[string, string]) {
		c.Keys, c.Values, c.Tribes = JavaString(), JavaString(), &Tribes{Lazy: true, Access: 2 * time.Second}
	})
}

// lazyKey is what one member knows of a key.
type lazyKey struct {
	primary, backup membership.ID
	value           string // "-" where it is not
}

func (n *node) lazyKeys() map[string]lazyKey {
	held := n.all()
	all := make(map[string]lazyKey)
	t := n.rep.(*tribesMap)
	for key := range n.Keys() {
		k, err := n.key(key)
		must(n.f.t, err)
		p, _ := t.whose(k)
		x := lazyKey{value: "-"}
		if p.primary != nil {
			x.primary = p.primary.ID()
		}
		if len(p.nodes) > 0 {
			x.backup = p.nodes[0].ID()
		}
		if v, there := held[key]; there {
			x.value = v
		}
		all[key] = x
	}
	return all
}

// checkLazy fails unless all know the same keys, the same primary and backup of each, which
// are two of them, and only those have the value, which is the same on both. It returns the
// values.
func checkLazy(t *testing.T, nodes ...*node) map[string]string {
	t.Helper()
	ids := make(map[membership.ID]string)
	for _, n := range nodes {
		ids[n.g.Local().ID()] = n.name
	}
	want := nodes[0].lazyKeys()
	values := make(map[string]string)
	for _, n := range nodes {
		have := n.lazyKeys()
		if !slices.Equal(slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%s knows %v, %s knows %v", n.name, slices.Sorted(maps.Keys(have)), nodes[0].name, slices.Sorted(maps.Keys(want)))
			continue
		}
		for key, x := range have {
			y, me := want[key], n.g.Local().ID()
			if x.primary != y.primary || x.backup != y.backup {
				t.Errorf("%s has %s for the primary of %s and %s for its backup, %s has %s and %s", n.name, ids[x.primary], key,
					ids[x.backup], nodes[0].name, ids[y.primary], ids[y.backup])
			}
			if ids[x.primary] == "" || len(nodes) > 1 && (ids[x.backup] == "" || x.primary == x.backup) {
				t.Errorf("%s: %s has primary %q and backup %q", n.name, key, ids[x.primary], ids[x.backup])
			}
			if holds := me == x.primary || me == x.backup; holds != (x.value != "-") {
				t.Errorf("%s: %s is %s, primary %s, backup %s", n.name, key, x.value, ids[x.primary], ids[x.backup])
			}
			if old, there := values[key]; there && x.value != "-" && old != x.value {
				t.Errorf("%s is %s on %s, and %s elsewhere", key, x.value, n.name, old)
			} else if x.value != "-" {
				values[key] = x.value
			}
		}
	}
	return values
}

// Members that speak as Java nodes with a LazyReplicatedMap do: each key has a primary and a
// backup, which have the value, through joins, a leave, crashes, and reading elsewhere, which
// moves the key. Nothing is lost.
func TestLazyAmongOurselves(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := lazyFarm(t)
		all := f.start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		want := make(map[string]string)
		put := func(n *node, key, value string) {
			n.put(key, value)
			want[key] = value
		}
		check := func(nodes ...*node) {
			t.Helper()
			if have := checkLazy(t, nodes...); !maps.Equal(have, want) {
				t.Errorf("have %v, want %v", have, want)
			}
		}
		for i := range 30 {
			put(all[i%3], fmt.Sprint("k", i), "1")
		}
		check(a, b, c)
		if n := a.here(); n > 25 || n < 15 || a.Len() != 30 {
			t.Errorf("a has %d values of %d entries, want two of three of 30", n, a.Len())
		}
		d := f.start("d")[0]
		check(a, b, c, d)
		for key := range want { // reading moves
			if v := d.get(key); v != want[key] {
				t.Errorf("%s is %s on d", key, v)
			}
		}
		check(a, b, c, d)
		if d.here() != 30 || d.Primary("k7").ID() != d.g.Local().ID() {
			t.Errorf("d has %d, primary of k7 is %v", d.Len(), a.Primary("k7"))
		}
		for i := range 15 {
			put(all[i%3], fmt.Sprint("k", i), "2")
		}
		if there, err := b.Delete(context.Background(), "k29"); !there || err != nil {
			t.Errorf("deleted: %v, %v", there, err)
		}
		delete(want, "k29")
		check(a, b, c, d)
		d.crash()
		time.Sleep(15 * time.Second)
		check(a, b, c)
		a.stop()
		time.Sleep(15 * time.Second)
		check(b, c)
		e := f.start("e")[0]
		c.crash()
		time.Sleep(15 * time.Second)
		check(b, e)
		b.stop()
		time.Sleep(time.Second)
		check(e)
		e.stop()
	})
}

// Of values that members put at the same time one stays, the same on its primary and its
// backup, also if others read it meanwhile.
func TestLazyClash(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := lazyFarm(t).start("a", "b", "c", "d")
		for i := range 20 {
			key := fmt.Sprint("k", i)
			var puts sync.WaitGroup
			for _, n := range all[:3] {
				puts.Go(func() { n.put(key, n.name) })
			}
			puts.Go(func() { all[3].get(key) })
			puts.Wait()
		}
		time.Sleep(10 * time.Second)
		if have := checkLazy(t, all...); len(have) != 20 {
			t.Errorf("have %v", have)
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A key whose primary and backup vanish at the same time is lost; that is told, and then
// there is no such key.
func TestLazyBothAreGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := lazyFarm(t)
		all := f.start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		for i := range 12 {
			a.put(fmt.Sprint("k", i), "1")
		}
		b.put("other", "1")
		before := len(slices.Collect(c.Keys()))
		b.crash()
		a.crash()
		time.Sleep(500 * time.Millisecond)
		lost := 0
		for i := range 12 {
			if _, _, err := c.Get(context.Background(), fmt.Sprint("k", i)); errors.Is(err, ErrNoHolder) {
				lost++
			}
		}
		time.Sleep(15 * time.Second)
		checkLazy(t, c)
		after := len(slices.Collect(c.Keys()))
		if before != 13 || lost == 0 || lost == 12 || after < 13-lost-1 || after == 13 {
			t.Errorf("%d keys, %d of them said to be unreachable, then %d keys", before, lost, after)
		}
		c.stop()
	})
}

// Who asks who has the map has none yet. What it were given now, the list of entries that it
// asks for next would make a proxy of.
func TestLazyInitIsNoStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := lazyFarm(t)
		a := f.start("a")[0]
		a.put("k", "1")
		b := f.member("b")
		must(t, a.g.WaitMembers(context.Background(), 1))
		init := (&tribeswire.Message{Type: tribeswire.Init, Map: []byte("m"), Primary: b.Local()}).Object()
		for _, start := range []bool{false, true} {
			if start {
				init = (&tribeswire.Message{Type: tribeswire.Start, Map: []byte("m"), Primary: b.Local()}).Object()
			}
			answer, err := a.rep.(*tribesMap).asked(context.Background(), &group.Request{From: b.Local(), Body: group.Body{Kind: group.BodyObject, Object: init}})
			if err != nil || answer.Kind != group.BodyObject {
				t.Errorf("%v, %v", answer, err)
			}
			if n := a.Stats().Members; (n == 1) != start {
				t.Errorf("started %v: %d members", start, n)
			}
		}
		must(t, b.Stop(context.Background()))
		a.stop()
	})
}

// Two that take each other for the primary, as after messages that crossed, find that when
// they compare, and one is it again.
func TestLazyNobodyIsThePrimary(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := lazyFarm(t).start("a", "b", "c")
		all[0].put("k", "1")
		key, err := JavaString().Append(nil, "k")
		must(t, err)
		a, b := all[0].rep.(*tribesMap), all[1].rep.(*tribesMap)
		for x, y := range map[*tribesMap]*tribesMap{a: b, b: a} {
			x.mu.Lock()
			x.place(string(key)).primary = y.local()
			x.mu.Unlock()
		}
		time.Sleep(2 * time.Minute)
		if have := checkLazy(t, all...); have["k"] != "1" {
			t.Errorf("have %v", have)
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// Who still takes itself for the primary of a key does not tell a member so that takes a third
// one for it and has its value: the two primaries settle that. (Seed 734 of TestLazySimulation.)
func TestLazyPrimaryIsAThird(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := lazyFarm(t).start("a", "b", "c")
		a, b := all[0].rep.(*tribesMap), all[1].rep.(*tribesMap)
		all[0].put("k", "old")
		time.Sleep(10 * time.Second)
		key, value := inJava(t, "k"), inJava(t, "new")
		third := all[2].g.Local()
		x := &tribeswire.Message{Type: tribeswire.Backup, Key: key, Value: value, Primary: third, Nodes: []*membership.Member{b.local()}}
		b.takeLazy(x, third, 0)
		b.mu.Lock()
		b.places[string(key)].heard = time.Time{} // a moment ago
		b.mu.Unlock()
		a.compare(t.Context(), b.local())
		if e, _ := b.table.Get(string(key)); !bytes.Equal(e.Value, value) {
			t.Errorf("the value on the backup is %q", e.Value)
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// Both sides of a partition go on, and are one map again after it: what only one side has
// written is there.
func TestLazyPartition(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := lazyFarm(t)
		all := f.start("a", "b", "c", "d")
		for i := range 12 {
			all[i%4].put(fmt.Sprint("k", i), "0")
		}
		f.net.Partition([]string{"a", "b"}, []string{"c", "d"})
		time.Sleep(10 * time.Second)
		all[0].put("left", "1")
		all[2].put("right", "1")
		f.net.Heal()
		time.Sleep(30 * time.Second)
		have := checkLazy(t, all...)
		if have["left"] != "1" || have["right"] != "1" {
			t.Errorf("have %v", have)
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// here counts the values that are on a node.
func (n *node) here() (count int) {
	for range n.Local() {
		count++
	}
	return count
}

// Who tells others of a value that it has not written, and hears meanwhile that another member
// has written the entry, does not tell more of them: who has written says so again.
// (Seed 983 of TestLazySimulation.)
func TestLazyWriteOvertakesTakeover(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := lazyFarm(t)
		all := f.start("a", "b", "c")
		a := all[0]
		a.put("k", "old")
		time.Sleep(10 * time.Second)
		key, tells := string(inJava(t, "k")), a.rep.(*tribesMap)
		p, _ := tells.whose(key)
		backup, writer := all[1], all[2]
		if p.nodes[0].ID() != backup.g.Local().ID() {
			backup, writer = writer, backup
		}
		must(t, tells.spread(t.Context(), []*membership.Member{writer.g.Local()}, key))
		time.Sleep(20 * time.Millisecond) // and so what it writes counts as crossed
		f.net.SetLink("a", backup.name, mem.Link{Delay: 80 * time.Millisecond})
		told := make(chan error)
		go func() {
			to, _ := tells.members()
			told <- tells.spread(context.Background(), to, key)
		}()
		time.Sleep(20 * time.Millisecond)
		writer.put("k", "new")
		must(t, <-told)
		f.net.SetLinks(mem.Link{Delay: time.Millisecond})
		time.Sleep(20 * time.Second)
		for _, n := range all {
			if n.get("k") != "new" {
				t.Errorf("k is %s on %s", n.get("k"), n.name)
			}
		}
		stopAll(all...)
	})
}
