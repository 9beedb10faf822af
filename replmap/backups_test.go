package replmap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// backups is a farm whose maps have that many backups.
func backups(t *testing.T, n int, cfg func(c *Config[string, string])) *farm {
	return newFarm(t, func(c *Config[string, string]) {
		c.Backups = n
		if cfg != nil {
			cfg(c)
		}
	})
}

// checkPlaced fails unless all members have the same entries, and the value of each is on
// those members, and on no other, that are to have it.
func checkPlaced(t *testing.T, n int, nodes ...*node) {
	t.Helper()
	checkSame(t, nodes...)
	for e := range nodes[0].r.table.All() {
		want := names(nodes[0], e.Key, nodes...)
		if len(want) != min(n+1, len(nodes)) {
			t.Errorf("%s is to be on %v", e.Key, want)
		}
		var have []string
		var value []byte
		for _, x := range nodes {
			if got := names(x, e.Key, nodes...); !slices.Equal(got, want) {
				t.Errorf("%s is to be on %v says %s, %v says %s", e.Key, got, x.name, want, nodes[0].name)
			}
			for _, s := range x.r.table.States([]string{e.Key}) {
				if s.Proxy {
					continue
				}
				have = append(have, x.name)
				if len(have) > 1 && string(s.Value) != string(value) {
					t.Errorf("%s is %q and %q", e.Key, s.Value, value)
				}
				value = s.Value
			}
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(have, want) {
			t.Errorf("%s is on %v, and is to be on %v", e.Key, have, want)
		}
	}
	for _, x := range nodes {
		if s := x.Stats(); s.Lacking > 0 {
			t.Errorf("%s lacks %d values", x.name, s.Lacking)
		}
	}
}

// names are those of the members that are to have a key, as x says; nodes are all of them.
func names(x *node, key string, nodes ...*node) (all []string) {
	for _, m := range x.Holders(key) {
		i := slices.IndexFunc(nodes, func(n *node) bool { return n.g.Local().ID() == m.ID() })
		if i < 0 {
			all = append(all, m.String())
			continue
		}
		all = append(all, nodes[i].name)
	}
	return all
}

func stopAll(nodes ...*node) {
	for _, n := range nodes {
		n.stop()
	}
}

// A value is on the members that are to have it when Put returns, and nowhere else; every
// member knows of the entry, and reads it.
func TestBackups(t *testing.T) {
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				all := backups(t, n, nil).start("a", "b", "c", "d", "e")
				for i := range 60 {
					all[i%5].put(fmt.Sprint("k", i), fmt.Sprint(i))
					for _, x := range all {
						if _, there := x.Version(fmt.Sprint("k", i)); !there {
							t.Fatalf("%s does not know of k%d", x.name, i)
						}
					}
				}
				checkPlaced(t, n, all...)
				held := 0
				for _, x := range all {
					for i := range 60 {
						if got := x.get(fmt.Sprint("k", i)); got != fmt.Sprint(i) {
							t.Errorf("%s: k%d is %s", x.name, i, got)
						}
					}
					held += x.Stats().Held
					if got := x.all(); len(got) != 60 || got["k59"] != "59" {
						t.Errorf("%s: All has %v", x.name, got)
					}
					local, keys := 0, 0
					for range x.Local() {
						local++
					}
					for range x.Keys() {
						keys++
					}
					if local != x.Stats().Held || keys != 60 || x.Len() != 60 {
						t.Errorf("%s has %d values, %d keys and %d entries, %+v", x.name, local, keys, x.Len(), x.Stats())
					}
				}
				if held != 60*(n+1) {
					t.Errorf("%d values are held, want %d", held, 60*(n+1))
				}
				stopAll(all...)
			})
		})
	}
}

// Whatever members crash at the same time, not more than there are backups: every value is
// there, and is soon on as many members as before.
func TestBackupsTakeOver(t *testing.T) {
	for n := 1; n <= 2; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				all := backups(t, n, nil).start("a", "b", "c", "d", "e")
				for i := range 100 {
					all[i%5].put(fmt.Sprint("k", i), fmt.Sprint(i))
				}
				crashAll(all[:n]...)
				rest := all[n:]
				for i := range 100 {
					if got := rest[i%len(rest)].get(fmt.Sprint("k", i)); got != fmt.Sprint(i) {
						t.Errorf("k%d is %s", i, got)
					}
				}
				time.Sleep(10 * time.Second)
				checkPlaced(t, n, rest...)
				stopAll(rest...)
			})
		})
	}
}

// With WaitOne every write survives that any one member crashes, at once.
func TestBackupsWaitOne(t *testing.T) {
	for _, victim := range []int{0, 1, 2, 3} {
		inBubble(t, func(t *testing.T) {
			all := backups(t, 2, func(c *Config[string, string]) { c.Wait = WaitOne }).start("a", "b", "c", "d")
			for i := range 40 {
				all[i%4].put(fmt.Sprint("k", i), fmt.Sprint(i))
			}
			all[victim].crash()
			rest := slices.Delete(slices.Clone(all), victim, victim+1)
			time.Sleep(10 * time.Second)
			checkPlaced(t, 2, rest...)
			for i := range 40 {
				if got := rest[i%3].get(fmt.Sprint("k", i)); got != fmt.Sprint(i) {
					t.Errorf("without %s: k%d is %s", all[victim].name, i, got)
				}
			}
			stopAll(rest...)
		})
	}
}

// Values move to a member that joins and, before it has closed, from one that leaves.
func TestBackupsRelocation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, func(c *Config[string, string]) { c.BlockEntries = 7 })
		all := f.start("a", "b")
		for i := range 200 {
			all[i%2].put(fmt.Sprint("k", i), fmt.Sprint(i))
		}
		for _, name := range []string{"c", "d"} {
			all = append(all, f.start(name)...)
			time.Sleep(10 * time.Second)
			checkPlaced(t, 1, all...)
		}
		for len(all) > 1 {
			if len(all) > 2 { // the two that have a value leave at once
				var left, rest []*node
				holders := names(all[0], "k0", all...)
				for _, x := range all {
					if slices.Contains(holders, x.name) {
						left = append(left, x)
					} else {
						rest = append(rest, x)
					}
				}
				stopAll(left...)
				all = rest
			} else {
				all[0].stop()
				all = all[1:]
			}
			for i := range 200 {
				if got := all[0].get(fmt.Sprint("k", i)); got != fmt.Sprint(i) {
					t.Errorf("%d members: k%d is %s", len(all), i, got)
				}
			}
			time.Sleep(5 * time.Second)
			checkPlaced(t, 1, all...)
		}
		stopAll(all...)
	})
}

// A value of which this side of a partition has no copy is an error there, not nothing,
// and not lost; afterwards both sides are the same.
func TestBackupsPartition(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		all := f.start("a", "b", "c", "d")
		for i := range 100 {
			all[i%4].put(fmt.Sprint("k", i), "old")
		}
		f.net.Partition([]string{"a", "b"}, []string{"c", "d"})
		time.Sleep(10 * time.Second)
		lost := 0
		for i := range 100 {
			key := fmt.Sprint("k", i)
			switch v, there, err := all[0].Get(t.Context(), key); {
			case errors.Is(err, ErrNoHolder):
				lost++
				if !all[0].Has(key) {
					t.Errorf("%s is not there", key)
				}
				if _, err := all[0].CompareAndSwap(t.Context(), key, "old", "new"); !errors.Is(err, ErrNoHolder) {
					t.Errorf("swap of %s: %v", key, err)
				}
				if i%2 == 0 {
					all[1].put(key, "new") // needs no value
				}
			case !there || v != "old" || err != nil:
				t.Errorf("%s is %q, %v, %v", key, v, there, err)
			}
		}
		if lost == 0 || lost > 60 {
			t.Errorf("%d of 100 entries have no value on one side", lost)
		}
		all[2].put("k1", "other")
		if s := all[0].Stats(); s.Unreachable == 0 {
			t.Errorf("%+v", s)
		}
		f.net.Heal()
		time.Sleep(20 * time.Second)
		checkPlaced(t, 1, all...)
		for i := range 100 {
			if got := all[i%4].get(fmt.Sprint("k", i)); got != "old" && got != "new" && got != "other" {
				t.Errorf("k%d is %s", i, got)
			}
		}
		stopAll(all...)
	})
}

// A conditional write is never decided on a value that is not there: the new primary of a
// key fetches it first.
func TestBackupsConditional(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		all := f.start("a", "b", "c")
		for i := range 60 {
			all[i%3].put(fmt.Sprint("k", i), "1")
		}
		for i := range 60 { // as if a had just become one that is to have it
			if e, _ := all[0].r.table.Get(fmt.Sprint("k", i)); !e.Proxy {
				all[0].r.table.Drop(e.State())
			}
		}
		for i := range 60 {
			key := fmt.Sprint("k", i)
			ok, err := all[i%3].CompareAndSwap(t.Context(), key, "0", "2")
			if ok || err != nil {
				t.Errorf("swap of another value of %s: %v, %v", key, ok, err)
			}
			if ok, err = all[i%3].CompareAndSwap(t.Context(), key, "1", "2"); !ok || err != nil {
				t.Errorf("swap of %s: %v, %v", key, ok, err)
			}
			now, put, err := all[i%3].PutIfAbsent(t.Context(), key, "3")
			if now != "2" || put || err != nil {
				t.Errorf("PutIfAbsent of %s: %q, %v, %v", key, now, put, err)
			}
			must(t, add(all[(i+1)%3], key))
			if got := all[i%3].get(key); got != "3" {
				t.Errorf("%s is %s", key, got)
			}
		}
		time.Sleep(10 * time.Second)
		checkPlaced(t, 1, all...)
		stopAll(all...)
	})
}

// Versions are known everywhere and change with each write; deletions and lifetimes are as
// without backups; events say where the value is.
func TestBackupsEntries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		all := f.start("a", "b", "c")
		ctx := context.Background()
		var told log
		holders := names(all[0], "k", all...)
		i := slices.IndexFunc(all, func(x *node) bool { return !slices.Contains(holders, x.name) })
		other := all[i]
		other.Watch(func(ctx context.Context, e Event[string, string]) {
			told.add(ctx, e)
			if e.OldHere || e.NewHere {
				t.Errorf("a value is here: %+v", e)
			}
		})
		all[(i+1)%3].put("k", "1")
		v, there := other.Version("k")
		got, v2, there2, err := all[0].GetVersion(ctx, "k")
		if !there || !there2 || v != v2 || got != "1" || err != nil || v.IsZero() {
			t.Errorf("version %v there %v, %v there %v of %q, %v", v, there, v2, there2, got, err)
		}
		all[(i+1)%3].put("k", "2") // the value is with who writes until the holders have it
		if v3, _ := other.Version("k"); v3 == v {
			t.Error("another value of the same version")
		}
		if gone, err := all[1].Delete(ctx, "k"); !gone || err != nil || other.Has("k") {
			t.Errorf("Delete = %v, %v", gone, err)
		}
		must(t, all[(i+1)%3].PutFor(ctx, "k", "3", time.Second))
		time.Sleep(3 * time.Second)
		if other.Has("k") || other.get("k") != "-" {
			t.Error("its lifetime does not end")
		}
		want := []string{"added k >", "changed k >", "removed k >", "added k >", "expired k >"}
		if got := told.take(); !slices.Equal(got, want) {
			t.Errorf("told of %q, want %q", got, want)
		}
		checkPlaced(t, 1, all...)
		stopAll(all...)
	})
}

// Members with another number of backups do not share the map, and say so.
func TestBackupsDiffer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := 0
		f := newFarm(t, func(c *Config[string, string]) {
			c.Backups = n
			n++
		})
		all := f.start("a", "b", "c")
		for _, x := range all {
			if s := x.Stats(); s.Members != 0 || s.Incompatible < 2 {
				t.Errorf("%s: %+v", x.name, s)
			}
		}
		stopAll(all...)
	})
}

// A member that is to have all values refuses a state without one.
func TestProxyRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newFarm(t, nil).start("a")[0]
		e := entry.Entry{Key: "k", Proxy: true, Placed: true, Version: entry.Version{Counter: 1}}
		if _, err := n.r.table.Merge(&e); !errors.Is(err, entry.ErrProxy) || n.Len() != 0 {
			t.Errorf("Merge: %v", err)
		}
		n.stop()
	})
}
