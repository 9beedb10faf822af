package entry

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

func put(t *Table, key, value string) Entry {
	e, _ := t.Write(Entry{Key: key, Value: []byte(value), Lifetime: Forever}, nil)
	return e
}

func get(t *Table, key string) string {
	e, there := t.Get(key)
	if !there {
		return "-"
	}
	return string(e.Value)
}

func TestWriteIsNewerThanAllThatWasSeen(t *testing.T) {
	var c clock
	a, b := newTable('a', &c, nil, nil), newTable('b', &c, nil, nil)
	for range 5 {
		put(b, "x", "1")
	}
	e := put(b, "y", "1")
	if _, err := a.Merge(&e); err != nil {
		t.Fatal(err)
	}
	if got := put(a, "z", "1"); got.Version != ver(7, 'a') {
		t.Errorf("version %v, want 7 of a", got.Version)
	}
}

func TestWriteCondition(t *testing.T) {
	var c clock
	x := newTable('a', &c, nil, nil)
	absent := func(_ Entry, there bool) bool { return !there }
	if _, ok := x.Write(Entry{Key: "k", Value: []byte("1"), Lifetime: time.Second}, absent); !ok {
		t.Error("not written to what is absent")
	}
	if now, ok := x.Write(Entry{Key: "k", Value: []byte("2"), Lifetime: Forever}, absent); ok || string(now.Value) != "1" {
		t.Errorf("written, or %q there", now.Value)
	}
	c.Duration = time.Second // its time is over, though nobody has swept
	if _, ok := x.Write(Entry{Key: "k", Value: []byte("2"), Lifetime: Forever}, absent); !ok || get(x, "k") != "2" {
		t.Errorf("what has ended is in the way: %v", get(x, "k"))
	}
	if _, ok := x.Write(Entry{Key: "other", Gone: true}, nil); ok {
		t.Error("deleted what was not there")
	}
}

// A deletion is remembered, and what it has deleted does not come back; after Keep it is
// forgotten.
func TestTombstones(t *testing.T) {
	var c clock
	x := newTable('a', &c, nil, nil)
	old := put(x, "k", "1")
	x.Write(Entry{Key: "k", Gone: true, Lifetime: Forever}, nil)
	if news, err := x.Merge(&old); news || err != nil || get(x, "k") != "-" {
		t.Errorf("news %v, %v: %q is back", news, err, get(x, "k"))
	}
	c.Duration = time.Minute
	x.Sweep()
	if len(x.States([]string{"k"})) != 0 {
		t.Error("still known after Keep")
	}
}

// An entry ends at its time, before any sweep, and the sweep tells of it once. A replica
// that has seen it end does not take it back from one that has not.
func TestLifetime(t *testing.T) {
	var c clock
	var changes []Change
	x, y := newTable('a', &c, func(c Change) { changes = append(changes, c) }, nil), newTable('b', &c, nil, nil)
	e, _ := x.Write(Entry{Key: "k", Value: []byte("1"), Lifetime: time.Second}, nil)
	c.Duration = 400 * time.Millisecond
	e.Lifetime = 700 * time.Millisecond // late on its way
	if _, err := y.Merge(&e); err != nil {
		t.Fatal(err)
	}
	if got, _ := y.Get("k"); got.Lifetime != 700*time.Millisecond {
		t.Errorf("%v left, want 700ms", got.Lifetime)
	}
	c.Duration = time.Second
	if get(x, "k") != "-" || x.Len() != 1 {
		t.Errorf("%q of %d", get(x, "k"), x.Len())
	}
	x.Sweep()
	x.Sweep()
	if len(changes) != 2 || !changes[1].Expired || string(changes[1].Old) != "1" || changes[1].Has {
		t.Errorf("changes: %+v", changes)
	}
	repair(t, x, y)
	if get(x, "k") != "-" || get(y, "k") != "-" || x.Len()+y.Len() != 0 {
		t.Errorf("%q and %q are there", get(x, "k"), get(y, "k"))
	}
}

func TestMergeRefuses(t *testing.T) {
	var c clock
	x := newTable('a', &c, nil, nil)
	for _, v := range []Version{{}, ver(MaxCounter+1, 'b')} {
		if _, err := x.Merge(&Entry{Key: "k", Version: v}); !errors.Is(err, ErrVersion) {
			t.Errorf("version %v: %v", v, err)
		}
	}
}

// Whatever the size of blocks and whoever gives the next one, a walk has everything once.
func TestBlocks(t *testing.T) {
	var c clock
	x, y := newTable('a', &c, nil, nil), newTable('b', &c, nil, nil)
	for i := range 1000 {
		put(x, fmt.Sprint(i), "value")
	}
	put(x, "", "the empty key")
	put(x, "gone", "")
	x.Write(Entry{Key: "gone", Gone: true, Lifetime: Forever}, nil)
	repair(t, y, x)
	for _, size := range []struct{ entries, bytes int }{{1, 1 << 20}, {7, 1 << 20}, {5000, 1 << 20}, {1000, 1}, {1000, 100}} {
		var keys []string
		from := []*Table{x, y}
		for at := (Place{}); at.Bucket < Buckets; from[0], from[1] = from[1], from[0] {
			var block []Entry
			block, at = from[0].Block(at, size.entries, size.bytes, nil)
			if len(block) > size.entries {
				t.Fatalf("%d entries in a block of %d", len(block), size.entries)
			}
			for _, e := range block {
				keys = append(keys, e.Key)
			}
		}
		slices.Sort(keys)
		want := 1001 // those that y knows; x has seen one go besides
		if n := len(slices.Compact(slices.Clone(keys))); n != len(keys) || n < want || n > want+1 {
			t.Errorf("blocks of %+v: %d keys, %d different ones", size, len(keys), n)
		}
	}
}

// The hashes are part of the protocol.
func TestHashesStay(t *testing.T) {
	e := Entry{Key: "key", Value: []byte("value"), Version: ver(7, 'a')}
	const want = "0x78a7ec0747296d7c 210 0x4b47359526bb1fe4"
	if got := fmt.Sprintf("%#x %d %#x", e.sum(false), Bucket("key"), Weight("key", membership.ID{'a'})); got != want {
		t.Errorf("hashes %s, want %s", got, want)
	}
}

// Each of some members is the primary of about its share of keys, and when one goes only
// its keys get another.
func TestHeaviest(t *testing.T) {
	nodes := [][16]byte{{1}, {2}, {3}, {4}}
	count := make(map[int]int)
	for i := range 4000 {
		key := fmt.Sprint(i)
		at := Heaviest(key, nodes)
		count[at]++
		if left := Heaviest(key, nodes[:3]); at < 3 && left != at {
			t.Fatalf("key %s moves from %d to %d", key, at, left)
		}
	}
	for i := range nodes {
		if count[i] < 800 || count[i] > 1200 {
			t.Errorf("member %d is the primary of %d of 4000", i, count[i])
		}
	}
}
