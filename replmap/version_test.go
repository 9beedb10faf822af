package replmap

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// Versions say whether a value is still the one, on every member, and a write can depend on
// them without the old value.
func TestVersions(t *testing.T) {
	for backups := range 3 {
		inBubble(t, func(t *testing.T) {
			all := newFarm(t, func(c *Config[string, string]) { c.Backups = backups }).start("a", "b", "c", "d")
			ctx := t.Context()
			for i := range 12 {
				key, n, other := fmt.Sprint("k", i), all[i%4], all[(i+1)%4]
				v, err := n.PutVersion(ctx, key, "1", 0)
				if now, there := other.Version(key); now != v || !there || err != nil || v.IsZero() {
					t.Errorf("%s: %v, there %v, here %v, %v", key, now, there, v, err)
				}
				if value, now, _, err := other.GetVersion(ctx, key); value != "1" || now != v || err != nil {
					t.Errorf("%s is %q at %v, %v", key, value, now, err)
				}
				if now, put, err := other.PutIfVersion(ctx, key, "2", 0, Version{}); now != v || put || err != nil {
					t.Errorf("if there was none: %v, %v, %v", now, put, err)
				}
				w, put, err := other.PutIfVersion(ctx, key, "2", time.Minute, v)
				if now, _ := n.Version(key); !put || err != nil || now != w || w == v {
					t.Errorf("if it is as it was: %v, %v, %v, and %v here", w, put, err, now)
				}
				if now, put, err := n.PutIfVersion(ctx, key, "3", 0, v); now != w || put || err != nil || n.get(key) != "2" {
					t.Errorf("if it was as before: %v, %v, %v, and is %s", now, put, err, n.get(key))
				}
				if _, put, err := n.PutIfVersion(ctx, "new "+key, "1", 0, Version{}); !put || err != nil {
					t.Errorf("of a new key: %v, %v", put, err)
				}
			}
			if _, err := all[0].PutVersion(ctx, "k", "v", -1); err == nil || all[0].Has("k") {
				t.Error("a lifetime below 0")
			}
			time.Sleep(2 * time.Minute)
			if all[0].Has("k0") || all[0].Len() != 12 {
				t.Errorf("%d entries, want the 12 that have no lifetime", all[0].Len())
			}
			stopAll(all...)
		})
	}
}

// What was resolved has a version of its own on every member.
func TestVersionOfResolved(t *testing.T) {
	for backups := range 2 {
		inBubble(t, func(t *testing.T) {
			f := newFarm(t, func(c *Config[string, string]) { c.Resolve, c.Backups = joined, backups })
			all := f.start("a", "b", "c", "d")
			f.net.Partition([]string{"a", "b"}, []string{"c", "d"})
			time.Sleep(10 * time.Second)
			v, err := all[0].PutVersion(t.Context(), "k", "one", 0)
			must(t, err)
			w, err := all[2].PutVersion(t.Context(), "k", "two", 0)
			must(t, err)
			f.net.Heal()
			time.Sleep(time.Minute)
			first, _ := all[0].Version("k")
			for _, n := range all {
				value, now, _, err := n.GetVersion(t.Context(), "k")
				if value != "one two" || now == v || now == w || now != first || err != nil {
					t.Errorf("%s: %q at %v, %v", n.name, value, now, err)
				}
			}
			stopAll(all...)
		})
	}
}

// An entry whose time is over has no version, also while its end has not been told.
func TestVersionOfTheEnded(t *testing.T) {
	for backups := range 2 {
		inBubble(t, func(t *testing.T) {
			all := newFarm(t, func(c *Config[string, string]) { c.Backups = backups }).start("a", "b")
			for i, n := range all {
				key := fmt.Sprint("k", i)
				v, err := n.PutVersion(t.Context(), key, "v", 100*time.Millisecond)
				must(t, err)
				time.Sleep(200 * time.Millisecond)
				for _, n := range all {
					if now, put, err := n.PutIfVersion(t.Context(), key, "w", 0, v); put || !now.IsZero() || err != nil {
						t.Errorf("version %v, put %v, %v", now, put, err)
					}
				}
			}
			stopAll(all...)
		})
	}
}

// A write that depends on a version does not take place when that was resolved with another
// write meanwhile, which only the primary may know: it would overrule what it has not seen.
func TestWriteToResolved(t *testing.T) {
	for backups := range 2 {
		inBubble(t, func(t *testing.T) {
			all := newFarm(t, func(c *Config[string, string]) { c.Resolve, c.Backups = joined, backups }).start("a", "b")
			all[0].put("k", "one")
			v, _ := all[0].Version("k")
			other := entry.Version{Counter: 1, Node: [16]byte{}}
			e := entry.Entry{Key: "k", Value: []byte("two"), Version: other, Marks: []entry.Version{other}, Lifetime: entry.Forever}
			sorted := primaryFirst(t, "k", all)
			for _, n := range sorted {
				if _, err := n.r.table.Merge(&e); err != nil {
					t.Fatal(err)
				}
				for _, asks := range slices.Backward(sorted) {
					if now, put, err := asks.PutIfVersion(t.Context(), "k", "three", 0, v); put || now == v || err != nil {
						t.Errorf("%d backups: now %v, put %v, %v", backups, now, put, err)
					}
					if got := sorted[0].get("k"); got != "one two" {
						t.Errorf("%d backups: k is %q", backups, got)
					}
				}
			}
			stopAll(all...)
		})
	}
}
