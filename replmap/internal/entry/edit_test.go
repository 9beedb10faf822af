package entry

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gotribes/tribes/internal/bytediff"
)

func noise(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// The checksums that follow from edits are those of the edited value.
func TestChecksumsOfEdits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		v := noise(rnd, 1+rnd.IntN(5000))
		c := checksumsOf(v)
		for range 1 + rnd.IntN(4) {
			at := rnd.IntN(len(v))
			x := []bytediff.Edit{{At: at, New: noise(rnd, 1+rnd.IntN(len(v)-at))}}
			c = c.edited(v, x)
			copy(v[at:], x[0].New)
		}
		if want := checksumsOf(v); c != want {
			t.Fatalf("%x of %d bytes, want %x", c, len(v), want)
		}
	}
}

// large is a table with the value of 10 000 bytes of "k", which another has written.
func large(resolve Resolver) (here, writer *Table) {
	node := ver(1, 'w').Node
	writer = NewTable(node, proxyTable(nil).cfg)
	writer.cfg.Resolve, writer.cfg.MinDiff = resolve, 1000
	here = proxyTable(resolve)
	here.cfg.MinDiff = 1000
	e, _ := writer.Write(Entry{Key: "k", Value: noise(rand.New(rand.NewPCG(3, 4)), 10_000), Lifetime: Forever}, nil)
	e.sure = false
	if _, err := here.Merge(&e); err != nil {
		panic(err)
	}
	return here, writer
}

// next writes n other bytes at a place, and returns the state as it travels.
func next(t *testing.T, writer *Table, at, n int) Entry {
	t.Helper()
	base, _ := writer.Get("k")
	v := bytes.Clone(base.Value)
	for i := range n {
		v[at+i]++
	}
	e, _ := writer.Write(Entry{Key: "k", Value: v, Lifetime: Forever}, nil)
	d := writer.Difference(&base, &e)
	if d == nil {
		t.Fatal("no difference")
	}
	return Entry{Key: "k", Version: e.Version, Marks: e.Marks, Sum: e.Sum, Diff: d, Lifetime: Forever}
}

// memory is where the value of "k" begins.
func memory(table *Table) *byte { return &table.bucket("k").items["k"].Value[0] }

// sameValue fails unless the tables have the same value of "k", and the sum of it.
func sameValue(t *testing.T, a, b *Table) {
	t.Helper()
	x, _ := a.Get("k")
	y, _ := b.Get("k")
	if !bytes.Equal(x.Value, y.Value) || x.State() != y.State() || x.Sum != ValueSum(x.Value) || x.crc != checksumsOf(x.Value) {
		t.Errorf("%v and %v, values of %d and %d bytes", x.State(), y.State(), len(x.Value), len(y.Value))
	}
	if sums, n := a.Sums(); n != 1 {
		t.Errorf("%d entries", n)
	} else if other, _ := b.Sums(); sums != other {
		t.Error("sums differ")
	}
}

// waysOut are all ways to come by the value of "k".
func waysOut(t *testing.T, here *Table) map[string]func() []byte {
	return map[string]func() []byte{
		"Get":    func() []byte { e, _ := here.Get("k"); return e.Value },
		"States": func() []byte { return here.States([]string{"k"})[0].Value },
		"All": func() (v []byte) {
			for e := range here.All() {
				v = e.Value
			}
			return v
		},
		"Block": func() []byte { all, _ := here.Block(Place{}, 10, 1<<20, nil); return all[0].Value },
		"Replay": func() (v []byte) {
			here.Replay(func(_ int, all []Entry) {
				if len(all) > 0 {
					v = all[0].Value
				}
			})
			return v
		},
		"a condition": func() (v []byte) {
			here.Write(Entry{Key: "k"}, func(e Entry, _ bool) bool { v = e.Value; return false })
			return v
		},
		"Patch": func() []byte {
			now, _ := here.Peek("k")
			e := Entry{Key: "k", Sum: now.Sum, Diff: &Diff{Base: now.Version, BaseSum: now.Sum, Size: 10_000}}
			if err := here.Patch(&e); err != nil {
				t.Error(err)
			}
			return e.Value
		},
	}
}

// A value that nobody has been given is changed in its place; one that somebody has is not
// changed for him, however he came by it.
func TestEditsInPlace(t *testing.T) {
	here, writer := large(nil)
	merge := func() {
		t.Helper()
		if e := next(t, writer, 500, 20); !here.MergeEdit(&e) {
			t.Fatal("not merged in place")
		}
	}
	merge() // in memory of its own from now on
	at := memory(here)
	merge()
	merge()
	if memory(here) != at {
		t.Error("the value was copied")
	}
	if e, there := here.Peek("k"); !there || e.Value != nil || e.State() != here.bucket("k").items["k"].State() {
		t.Errorf("Peek: %+v", e)
	}
	for name, hand := range waysOut(t, here) {
		merge()
		had := hand()
		was := bytes.Clone(had)
		if &had[0] != memory(here) {
			t.Errorf("%s: a copy", name)
		}
		merge()
		merge()
		if !bytes.Equal(had, was) {
			t.Errorf("%s: the value has changed", name)
		}
		sameValue(t, here, writer)
	}
}

// What is not to be done in place is left alone.
func TestEditsNotInPlace(t *testing.T) {
	keep := func(older, newer *Entry) ([]byte, bool) { return newer.Value, newer.Gone }
	tests := map[string]struct {
		resolve Resolver
		change  func(here *Table, e *Entry)
	}{
		"no base":     {nil, func(_ *Table, e *Entry) { e.Diff.Base.Counter++ }},
		"another sum": {nil, func(_ *Table, e *Entry) { e.Sum++ }},
		"other steps": {nil, func(_ *Table, e *Entry) { e.Diff.Steps = bytes.Clone(e.Diff.Steps); e.Diff.Steps[5]++ }},
		"watched":     {nil, func(here *Table, _ *Entry) { here.cfg.Watched = func() bool { return true } }},
		"not newer":   {nil, func(here *Table, e *Entry) { e.Version = ver(1, 'a') }},
		"no version":  {nil, func(here *Table, e *Entry) { e.Version = Version{} }},
		"a proxy": {nil, func(here *Table, _ *Entry) {
			now, _ := here.Get("k")
			here.Drop(now.State())
		}},
		"a conflict": {keep, func(_ *Table, e *Entry) { e.Marks = []Version{ver(9, 'x')} }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			here, writer := large(tt.resolve)
			e := next(t, writer, 500, 20)
			tt.change(here, &e)
			before, _ := here.Get("k")
			was := bytes.Clone(before.Value)
			if here.MergeEdit(&e) {
				t.Error("merged in place")
			}
			if now, _ := here.Get("k"); now.State() != before.State() || !bytes.Equal(now.Value, was) {
				t.Errorf("%+v became %+v", before.State(), now.State())
			}
		})
	}
}

// A conditional write in place is as one with the value.
func TestReplaceEdit(t *testing.T) {
	for name, resolve := range map[string]Resolver{"": nil, "marks": func(_, n *Entry) ([]byte, bool) { return n.Value, n.Gone }} {
		t.Run(name, func(t *testing.T) {
			here, writer := large(resolve)
			e := next(t, writer, 9_000, 100)
			old, _ := here.Peek("k")
			if _, _, written := here.ReplaceEdit(e, func(Entry, bool) bool { return false }); written {
				t.Error("written against the condition")
			}
			now, before, written := here.ReplaceEdit(e, func(was Entry, there bool) bool { return there && was.Version == old.Version })
			if !written || before.State() != old.State() || now.Value != nil || now.Sum != e.Sum || now.Version.Node != here.node {
				t.Fatalf("%+v, %+v, %v", now, before, written)
			}
			want, _ := writer.Get("k")
			got, _ := here.Get("k")
			if !bytes.Equal(got.Value, want.Value) || got.State() != now.State() || got.Diff != nil || len(got.Marks) != len(want.Marks)*2 {
				t.Errorf("%+v", got.State())
			}
			if err := here.Patch(&now); err != nil || !bytes.Equal(now.Value, want.Value) {
				t.Errorf("difference to itself: %v", err)
			}
			if _, _, written := here.ReplaceEdit(e, func(Entry, bool) bool { return true }); written {
				t.Error("written twice")
			}
		})
	}
}

// FuzzDiff: whatever the steps, a state is what they make and in place it is the same, or it is
// refused and nothing changes.
func FuzzDiff(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("\x05\x00\x04XY\x19\x04"), 16, true)
	f.Add([]byte("0123456789abcdef"), []byte("\x19\x04\x04XY"), 14, true)
	f.Add([]byte("0123"), []byte("\x09\x00\x09\x00\x09\x00"), 12, true)
	f.Add([]byte("0123"), []byte{}, 4, false)
	f.Fuzz(func(t *testing.T, old, steps []byte, size int, right bool) {
		had := bytes.Clone(old)
		base := Entry{Key: "k", Value: old, Version: ver(1, 'w'), Lifetime: Forever}
		e := Entry{Key: "k", Version: ver(2, 'w'), Lifetime: Forever, Diff: &Diff{Base: base.Version, BaseSum: ValueSum(old), Size: size, Steps: steps}}
		if size >= 0 && e.Diff.fits(old) && right {
			v, err := e.Diff.value(old)
			if err != nil {
				v = nil
			}
			e.Sum = ValueSum(v)
		}
		var ends []Entry
		for _, inPlace := range []bool{false, true} {
			table, x, first := proxyTable(nil), e, base
			if _, err := table.Merge(&first); err != nil {
				t.Fatal(err)
			}
			done := inPlace && table.MergeEdit(&x)
			if !done && table.Patch(&x) == nil {
				if _, err := table.Merge(&x); err != nil {
					t.Fatal(err)
				}
			}
			now, _ := table.Get("k")
			if now.Sum != ValueSum(now.Value) || now.Version == base.Version && !bytes.Equal(now.Value, had) || len(now.Value) > len(old)+len(steps) {
				t.Fatalf("%d bytes of version %v", len(now.Value), now.Version)
			}
			ends = append(ends, now)
		}
		if !bytes.Equal(old, had) {
			t.Fatal("the old value has changed")
		}
		if ends[0].State() != ends[1].State() || !bytes.Equal(ends[0].Value, ends[1].Value) {
			t.Fatalf("%v, and in place %v", ends[0].State(), ends[1].State())
		}
	})
}
