package entry

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

func ver(counter uint64, node byte) Version {
	return Version{Counter: counter, Node: membership.ID{node}}
}

// union is a resolver that is commutative and associative: the bytes of both in order.
func union(older, newer *Entry) ([]byte, bool) {
	all := slices.Concat(older.Value, newer.Value)
	slices.Sort(all)
	return slices.Compact(all), older.Gone && newer.Gone
}

// random returns a state of key k. Some have the same version and other content, as no
// honest member makes them.
func random(r *rand.Rand, marks bool) *Entry {
	e := &Entry{Key: "k", Version: ver(1+r.Uint64N(4), 'a'+byte(r.IntN(3))), Lifetime: Forever}
	if e.Gone = r.IntN(4) == 0; !e.Gone {
		e.Value = []byte{'0' + byte(r.IntN(3))}
	}
	if marks {
		for n := range byte(3) {
			if c := r.Uint64N(3); c > 0 {
				e.Marks = join(e.Marks, []Version{ver(c, 'a'+n)})
			}
		}
		e.Marks = join(e.Marks, []Version{e.Version})
	}
	return e
}

func same(a, b *Entry) bool {
	return a.Version == b.Version && a.Gone == b.Gone && bytes.Equal(a.Value, b.Value) && reflect.DeepEqual(a.Marks, b.Marks)
}

// Without a resolver the merge is commutative, associative and idempotent, whatever the
// states, honest or not.
func TestMergeLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		a, b, c := random(r, false), random(r, false), random(r, false)
		if x, y := Merge(a, b, nil), Merge(b, a, nil); !same(x, y) {
			t.Fatalf("not commutative: %+v and %+v give %+v and %+v", a, b, x, y)
		}
		if x, y := Merge(Merge(a, b, nil), c, nil), Merge(a, Merge(b, c, nil), nil); !same(x, y) {
			t.Fatalf("not associative: %+v, %+v, %+v give %+v and %+v", a, b, c, x, y)
		}
		if x := Merge(a, a, nil); !same(x, a) {
			t.Fatalf("not idempotent: %+v gives %+v", a, x)
		}
	}
}

// With a resolver it is commutative and idempotent, and the result has the marks of both.
func TestMergeLawsWithResolver(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		a, b := random(r, true), random(r, true)
		x, y := Merge(a, b, union), Merge(b, a, union)
		if !same(x, y) {
			t.Fatalf("not commutative: %+v and %+v give %+v and %+v", a, b, x, y)
		}
		if !covers(x.Marks, a.Marks) || !covers(x.Marks, b.Marks) {
			t.Fatalf("%+v and %+v give %+v, which lacks marks", a, b, x)
		}
		if z := Merge(x, a, union); !same(z, x) {
			t.Fatalf("%+v merged again with %+v gives %+v", x, a, z)
		}
	}
}

func TestMerge(t *testing.T) {
	put := func(value string, v Version, marks ...Version) *Entry {
		return &Entry{Key: "k", Value: []byte(value), Version: v, Marks: marks, Lifetime: Forever}
	}
	del := func(v Version, marks ...Version) *Entry {
		return &Entry{Key: "k", Gone: true, Version: v, Marks: marks, Lifetime: Forever}
	}
	tests := []struct {
		name    string
		a, b    *Entry
		resolve Resolver
		want    string // "-" is gone
	}{
		{"higher counter", put("x", ver(2, 'a')), put("y", ver(1, 'b')), nil, "x"},
		{"same counter, higher member", put("x", ver(2, 'a')), put("y", ver(2, 'b')), nil, "y"},
		{"deletion wins if newer", put("x", ver(2, 'a')), del(ver(3, 'b')), nil, "-"},
		{"deletion loses if older", put("x", ver(4, 'a')), del(ver(3, 'b')), nil, "x"},
		{"the end of a lifetime", put("x", ver(4, 'a')), del(ver(4, 'a')), nil, "-"},
		{"known is overwritten", put("1", ver(1, 'a'), ver(1, 'a')), put("2", ver(2, 'b'), ver(1, 'a'), ver(2, 'b')), union, "2"},
		{"unknown is resolved", put("1", ver(1, 'a'), ver(1, 'a')), put("2", ver(2, 'b'), ver(2, 'b')), union, "12"},
		{"deleted without knowledge", del(ver(3, 'a'), ver(3, 'a')), put("2", ver(2, 'b'), ver(2, 'b')), union, "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Merge(tt.a, tt.b, tt.resolve)
			text := string(got.Value)
			if got.Gone {
				text = "-"
			}
			if text != tt.want {
				t.Errorf("Merge = %q, want %q", text, tt.want)
			}
		})
	}
}

// An entry keeps 64 marks, those with the highest counters.
func TestMarksAreBounded(t *testing.T) {
	var all []Version
	for i := range byte(100) {
		all = join(all, []Version{ver(uint64(i)+1, i)})
	}
	if len(all) != maxMarks || !slices.Contains(all, ver(100, 99)) || slices.Contains(all, ver(36, 35)) {
		t.Errorf("%d marks: %v", len(all), all)
	}
}

// Of many marks the highest stay, all that there is room for, in whatever order their members
// are: a write that a state has and does not know any more is resolved with it again.
func TestHighestMarksAreKept(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var marks, all []Version
		for node, n := range r.Perm(maxMarks + 20) {
			marks = append(marks, ver(uint64(n+1), byte(node)))
		}
		for _, m := range marks {
			all = join(all, []Version{m})
		}
		want := slices.DeleteFunc(slices.Clone(marks), func(m Version) bool { return m.Counter <= 20 })
		if !slices.Equal(all, want) || !slices.Equal(join(nil, marks), want) || !slices.Equal(join(marks[:50], marks[50:]), want) {
			t.Fatalf("%d marks, %d when all come at once; want the %d highest", len(all), len(join(nil, marks)), maxMarks)
		}
	}
}

// clock is set by hand.
type clock struct{ time.Duration }

func (c *clock) now() time.Duration { return c.Duration }

func newTable(node byte, c *clock, changed func(Change), resolve Resolver) *Table {
	return NewTable(membership.ID{node}, Config{Keep: time.Minute, Now: c.now, Changed: changed, Resolve: resolve})
}

// Replicas that write, expire, forget and gossip in any order are the same in the end,
// with the same sums.
func TestReplicasConverge(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 5))
		var resolve Resolver
		if seed%2 == 1 {
			resolve = union
		}
		var c clock
		all := make([]*Table, 2+seed%3)
		for i := range all {
			all[i] = newTable('a'+byte(i), &c, nil, resolve)
		}
		for range 400 {
			step(t, r, &c, all)
		}
		for range 4 * len(all) { // far more than once around
			for i, a := range all {
				repair(t, a, all[(i+1)%len(all)])
			}
		}
		sums, n := all[0].Sums()
		for i, x := range all[1:] {
			if s, m := x.Sums(); s != sums || m != n {
				t.Fatalf("seed %d: replica %d has %d entries, replica 0 has %d, or other ones", seed, i+1, m, n)
			}
		}
		for _, x := range all {
			checkSums(t, x)
		}
	}
}

func step(t *testing.T, r *rand.Rand, c *clock, all []*Table) {
	t.Helper()
	x, key := all[r.IntN(len(all))], fmt.Sprintf("k%d", r.IntN(6))
	switch p := r.IntN(10); {
	case p < 4:
		e := Entry{Key: key, Value: []byte{'0' + byte(r.IntN(10))}, Lifetime: Forever}
		if r.IntN(4) == 0 {
			e.Lifetime = time.Duration(r.IntN(5)) * time.Second
		}
		x.Write(e, nil)
	case p < 5:
		x.Write(Entry{Key: key, Gone: true, Lifetime: Forever}, nil)
	case p < 6:
		c.Duration += time.Second
		x.Sweep()
	default:
		for _, e := range x.States([]string{key}) {
			if _, err := all[r.IntN(len(all))].Merge(&e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// repair makes two replicas the same, as they do it over the network.
func repair(t *testing.T, a, b *Table) {
	t.Helper()
	for i := range Buckets {
		want, have := a.Diff(i, b.Digests(i))
		for _, e := range b.States(want) {
			if _, err := a.Merge(&e); err != nil {
				t.Fatal(err)
			}
		}
		for _, e := range a.States(have) {
			if _, err := b.Merge(&e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkSums counts anew what the table keeps up to date.
func checkSums(t *testing.T, x *Table) {
	t.Helper()
	sums, n := x.Sums()
	for i := range x.buckets {
		var sum uint64
		for key, it := range x.buckets[i].items {
			if Bucket(key) != i {
				t.Errorf("%q is in bucket %d", key, i)
			}
			if !it.Gone {
				sum += it.sum(false)
				n--
			}
		}
		if sum != sums[i] {
			t.Errorf("bucket %d: sum %x, want %x", i, sums[i], sum)
		}
	}
	if n != 0 {
		t.Errorf("%d entries too many are counted", n)
	}
}

// What a resolver keeps of an entry that is gone elsewhere lives as long as it did.
func TestMergeWithGoneKeepsTheLifetime(t *testing.T) {
	keep := func(older, newer *Entry) ([]byte, bool) {
		if newer.Gone {
			return older.Value, older.Gone
		}
		return newer.Value, false
	}
	there := &Entry{Key: "k", Value: []byte("1"), Version: ver(1, 'a'), Marks: []Version{ver(1, 'a')}, Lifetime: time.Minute}
	for _, counter := range []uint64{1, 2} {
		gone := &Entry{Key: there.Key, Gone: true, Version: ver(counter, 'b'), Marks: []Version{ver(counter, 'b')}, Lifetime: Forever}
		if got := Merge(there, gone, keep); got.Gone || got.Lifetime != time.Minute {
			t.Errorf("merged with a gone one of version %v: %+v", gone.Version, got)
		}
	}
}
