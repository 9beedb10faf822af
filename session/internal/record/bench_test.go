package record

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"unsafe"
)

// The sizes that memory per session hangs on.
func TestSizesInMemory(t *testing.T) {
	if got := unsafe.Sizeof(Session{}); got > 192 {
		t.Errorf("a Session has %d bytes, more than the size class of 192", got)
	}
	if got := unsafe.Sizeof(entry{}); got > entryCost {
		t.Errorf("an entry has %d bytes, want at most %d", got, entryCost)
	}
	if got := unsafe.Sizeof(Share{}); got > shareCost {
		t.Errorf("a share has %d bytes, want at most %d", got, shareCost)
	}
	if got := unsafe.Sizeof(ID{}); got > idCost {
		t.Errorf("an id has %d bytes, want at most %d", got, idCost)
	}
}

const tinyID = "0123456789ABCDEF0123456789ABCDEF.node1"

// tiny is what creates a session with one attribute of 16 bytes.
func tiny(tb testing.TB, n uint64) *Change {
	key := Key{}
	binary.BigEndian.PutUint64(key[:], n)
	s := New(NewSite(nodeID('a'), Limits{}, false), key)
	must(tb, s.SetID(tinyID), s.SetTimeout(1800e9, start), s.Set("user", make([]byte, 16)))
	return s.Take(start)
}

// replicas makes n replicas of tiny sessions and returns the heap that each takes.
func replicas(tb testing.TB, n int) (each float64) {
	changes := make([]*Change, n)
	for i := range changes {
		changes[i] = tiny(tb, uint64(i))
		// As a decoder would: each id is memory of its own.
		changes[i].IDs[0].Text = string([]byte(tinyID))
	}
	site := NewSite(nodeID('b'), Limits{}, false)
	all := make([]*Session, n)
	before := heap()
	for i, c := range changes {
		all[i] = New(site, c.Key)
		if _, err := all[i].Merge(c, start); err != nil {
			tb.Fatal(err)
		}
	}
	each = float64(heap()-before) / float64(n)
	runtime.KeepAlive(all)
	runtime.KeepAlive(changes)
	return each + 48 // the text of the id, which came with the change
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A replica of a session with one small attribute takes little memory.
func TestMemoryOfTinySession(t *testing.T) {
	each := replicas(t, 20000)
	t.Logf("%.0f bytes of heap for each session", each)
	if each > 330 {
		t.Errorf("a tiny session takes %.0f bytes of heap, want at most 330", each)
	}
}

// A change of one attribute, from the write to the merge elsewhere, takes little more
// memory than the two copies of its value.
func TestAllocations(t *testing.T) {
	a, b := on('a', Limits{}), New(NewSite(nodeID('b'), Limits{}, false), testKey)
	set(t, a, "user", "")
	if _, err := b.Merge(a.Take(start), start); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16)
	check := func(name string, want float64, f func()) {
		t.Helper()
		if got := testing.AllocsPerRun(100, f); got > want {
			t.Errorf("%s: %v allocations, want at most %v", name, got, want)
		}
	}
	check("Get", 0, func() { a.Get("user") })
	check("Set", 0, func() { must(t, a.Set("user", value)) })
	check("Touch", 0, func() { a.Touch(start); a.TakeTouch(start) })
	check("Digest", 0, func() { a.Digest() })
	var c *Change
	check("Set and Take", 2, func() { must(t, a.Set("user", value)); c = a.Take(start) })
	check("Set, Take and Merge", 3, func() {
		must(t, a.Set("user", value))
		c = a.Take(start)
		if _, err := b.Merge(c, start); err != nil {
			t.Fatal(err)
		}
	})
	check("Merge again", 0, func() {
		if _, err := b.Merge(c, start); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkSetTakeMerge(b *testing.B) {
	for _, attributes := range []int{1, 10, 100} {
		for _, size := range []int{16, 1 << 10} {
			b.Run(fmt.Sprintf("%dattributes/%dB", attributes, size), func(b *testing.B) {
				x, y := New(NewSite(nodeID('a'), Limits{}, false), testKey), New(NewSite(nodeID('b'), Limits{}, false), testKey)
				for i := range attributes {
					must(b, x.Set(fmt.Sprintf("attribute%d", i), make([]byte, size)))
				}
				value := make([]byte, size)
				b.ReportAllocs()
				for b.Loop() {
					must(b, x.Set("attribute0", value))
					if _, err := y.Merge(x.Take(start), start); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkAddTakeMerge(b *testing.B) {
	x, y := New(NewSite(nodeID('a'), Limits{}, false), testKey), New(NewSite(nodeID('b'), Limits{}, false), testKey)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Add("hits", 1); err != nil {
			b.Fatal(err)
		}
		if _, err := y.Merge(x.Take(start), start); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := New(NewSite(nodeID('a'), Limits{}, false), testKey)
	for i := range 20 {
		must(b, s.Set(fmt.Sprintf("attribute%d", i), make([]byte, 16)))
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Get("attribute7")
	}
}

func BenchmarkSnapshotMerge(b *testing.B) {
	c := tiny(b, 1)
	site := NewSite(nodeID('b'), Limits{}, false)
	x := New(site, c.Key)
	if _, err := x.Merge(c, start); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(site, c.Key).MergeSnapshot(x.Snapshot(start), start); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory reports the heap of a replica of a session with one attribute of 16
// bytes.
func BenchmarkMemory(b *testing.B) {
	var each float64
	for b.Loop() {
		each = replicas(b, 100000)
	}
	b.ReportMetric(each, "heap-B/session")
}
