package bytediff

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// text is n bytes without long repeats, the same for each seed.
func text(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestAppendApply(t *testing.T) {
	base, other := text(4096, 1), text(64, 2)
	tests := []struct {
		name       string
		old, value []byte
		atMost     int // bytes of the difference
	}{
		{"both empty", nil, nil, 0},
		{"from nothing", nil, other, 66},
		{"to nothing", base, nil, 0},
		{"same", base, base, 3},
		{"one byte", base, join(base[:99], []byte{base[99] + 1}, base[100:]), 12},
		{"longer at the end", base, join(base, other), 70},
		{"longer at the beginning", base, join(other, base), 70},
		{"shorter in the middle", base, join(base[:1000], base[3000:]), 8},
		{"two places", base, join(base[:700], other[:5], base[700:3000], other[5:9], base[3000:]), 40},
		{"halves swapped", base, join(base[2048:], base[:2048]), 16},
		{"a run of one byte", bytes.Repeat([]byte{7}, 300), bytes.Repeat([]byte{7}, 310), 14},
		{"a run that begins otherwise", join([]byte{1}, bytes.Repeat([]byte{7}, 300)), bytes.Repeat([]byte{7}, 3000), 2720},
		{"nothing in common", base, text(4096, 3), 4100},
		{"shorter than a word", []byte("abcdefg"), []byte("abXdefg"), 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prefix := []byte("before")
			d, ok := Append(prefix, tt.old, tt.value, 1<<20)
			if !ok || !bytes.HasPrefix(d, prefix) {
				t.Fatalf("Append = %x, %v", d, ok)
			}
			d = d[len(prefix):]
			if len(d) > tt.atMost {
				t.Errorf("difference has %d bytes, want at most %d", len(d), tt.atMost)
			}
			got, err := Apply(tt.old, d, len(tt.value))
			if err != nil || !bytes.Equal(got, tt.value) {
				t.Errorf("Apply = %d bytes, %v, want %d bytes", len(got), err, len(tt.value))
			}
		})
	}
}

func TestAppendStopsAtTheLimit(t *testing.T) {
	old, value := text(4096, 1), text(4096, 2)
	full, ok := Append(nil, old, value, 1<<20)
	if !ok {
		t.Fatal("no difference without a limit")
	}
	if _, ok := Append(nil, old, value, len(full)); !ok {
		t.Errorf("a difference of %d bytes is refused at that limit", len(full))
	}
	dst := []byte("before")
	if d, ok := Append(dst, old, value, len(full)-1); ok || string(d) != "before" {
		t.Errorf("Append below the limit = %d bytes, %v, want dst and false", len(d), ok)
	}
}

// Edits at random places: what Append writes, Apply reads.
func TestRandomEdits(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	for i := range 2000 {
		old := text(r.IntN(2000), uint64(i))
		value := bytes.Clone(old)
		for range r.IntN(6) {
			at := r.IntN(len(value) + 1)
			cut := r.IntN(len(value) - at + 1)
			value = join(value[:at], text(r.IntN(50), r.Uint64()), value[at+min(cut, 60):])
		}
		d, ok := Append(nil, old, value, 1<<20)
		if !ok {
			t.Fatalf("round %d: no difference", i)
		}
		if got, err := Apply(old, d, len(value)); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("round %d: Apply: %v", i, err)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	old := []byte("0123456789")
	tests := []struct {
		name string
		diff string
		size int
	}{
		{"empty for one byte", "", 1},
		{"negative size", "", -1},
		{"nothing copied", "\x01\x00", 0},
		{"nothing inserted", "\x00", 0},
		{"copy past the end", "\x05\x09", 2},
		{"copy from past the end", "\x03\x0b", 1},
		{"copy of more than there is", "\x17\x00", 11},
		{"offset missing", "\x05", 2},
		{"offset cut", "\x05\x80", 2},
		{"offset of 65 bits", "\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 2},
		{"insert cut", "\x04a", 2},
		{"head cut", "\x80", 1},
		{"more than the size", "\x15\x00", 9},
		{"less than the size", "\x15\x00", 11},
		{"a huge copy", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Apply(old, []byte(tt.diff), tt.size); !errors.Is(err, ErrFormat) {
				t.Errorf("Apply = %q, %v, want ErrFormat", got, err)
			}
		})
	}
}

// A wrong size costs no memory: it is compared before the value is made.
func TestApplyBelievesNoSize(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Apply(nil, []byte("\x02a"), math.MaxInt); !errors.Is(err, ErrFormat) {
		t.Fatalf("Apply: %v", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<16 {
		t.Errorf("a wrong size took %d bytes", got)
	}
}

// FuzzApply: damaged differences give an error or a value of the size asked for.
func FuzzApply(f *testing.F) {
	old := text(300, 1)
	d, _ := Append(nil, old, join(old[:100], []byte("new"), old[150:]), 1<<20)
	f.Add(old, d, 253)
	f.Add([]byte("0123456789"), []byte("\x05\x03\x04ab"), 4)
	f.Fuzz(func(t *testing.T, old, diff []byte, size int) {
		if size > 1<<20 {
			return
		}
		value, err := Apply(old, diff, size)
		if err == nil && len(value) != size {
			t.Fatalf("%d bytes, want %d", len(value), size)
		}
		edits, ok := Edits(diff, len(old))
		if !ok {
			return
		}
		value, err = Apply(old, diff, len(old))
		for _, e := range edits {
			copy(old[e.At:], e.New)
		}
		if err != nil || !bytes.Equal(value, old) {
			t.Fatalf("edited to %x, want %x, %v", old, value, err)
		}
	})
}

// FuzzAppend: any two values have a difference, and it is right.
func FuzzAppend(f *testing.F) {
	f.Add(text(100, 1), text(100, 2))
	f.Add(text(100, 1), join(text(40, 2), text(100, 1)))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), []byte("aaaaaaaaaaaaaaaabaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, old, value []byte) {
		d, ok := Append(nil, old, value, 1<<30)
		if !ok {
			t.Fatal("no difference")
		}
		if len(d) > len(value)+len(value)/2+30 {
			t.Errorf("a difference of %d bytes for a value of %d", len(d), len(value))
		}
		got, err := Apply(old, d, len(value))
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("Apply: %x, %v", got, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		old := text(size, 1)
		at := size / 3
		kinds := []struct {
			name  string
			value []byte
		}{
			{"one-field", join(old[:at], []byte("changed!"), old[at+8:])},
			{"two-fields", join(old[:at], []byte("changed!"), old[at+8:2*at], []byte("changed?"), old[2*at+8:])},
			{"all", text(size, 2)},
		}
		for _, k := range kinds {
			b.Run(fmt.Sprintf("%s/%dKiB", k.name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				buf := make([]byte, 0, size)
				for b.Loop() {
					Append(buf, old, k.value, size/2)
				}
			})
		}
	}
}

// Changes in place are found without an index, which costs more than all else.
func TestAlignedChangesNeedNoIndex(t *testing.T) {
	old := text(64<<10, 1)
	edit := func(at, cut int, p []byte) func([]byte) []byte {
		return func(v []byte) []byte { return join(v[:at], p, v[at+cut:]) }
	}
	tests := []struct {
		name   string
		edits  []func([]byte) []byte
		atMost int
	}{
		{"three places", []func([]byte) []byte{edit(3, 9, text(9, 2)), edit(30000, 1000, text(1000, 3)), edit(64000, 8, text(8, 4))}, 1060},
		{"longer in the middle", []func([]byte) []byte{edit(60000, 4, text(4, 2)), edit(30000, 100, text(101, 3)), edit(10, 1, text(1, 4))}, 140},
		{"shorter in the middle", []func([]byte) []byte{edit(60000, 4, text(4, 2)), edit(30000, 100, text(17, 3)), edit(10, 1, text(1, 4))}, 60},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value := old
			for _, e := range tt.edits {
				value = e(value)
			}
			w := writer{limit: 1 << 20}
			head := commonPrefix(old, value)
			tail := commonSuffix(old[head:], value[head:])
			if !w.aligned(old, value, head, tail) {
				t.Fatal("an index was needed")
			}
			d, _ := Append(nil, old, value, 1<<20)
			if got, err := Apply(old, d, len(value)); err != nil || !bytes.Equal(got, value) || len(d) > tt.atMost {
				t.Errorf("difference of %d bytes, want at most %d; Apply: %v", len(d), tt.atMost, err)
			}
		})
	}
	if w := (writer{limit: 1 << 20}); w.aligned(old, text(64<<10, 9), 0, 0) || len(w.out) > 0 {
		t.Errorf("%d bytes written of a value that is new", len(w.out))
	}
}

// What Edits returns makes the value; it returns nothing where bytes move.
func TestEdits(t *testing.T) {
	old, other := text(8192, 1), text(600, 2)
	tests := []struct {
		name  string
		value []byte
		edits int // -1: not in place
	}{
		{"the same", old, 0},
		{"one place", join(old[:100], other[:50], old[150:]), 1},
		{"beginning, middle and end", join(other[:9], old[9:4000], other[:300], old[4300:8190], other[:2]), 3},
		{"longer", join(old[:100], other, old[150:]), -1},
		{"shorter", old[:8000], -1},
		{"halves swapped", join(old[4096:], old[:4096]), -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, ok := Append(nil, old, tt.value, 1<<20)
			if !ok {
				t.Fatal("no difference")
			}
			edits, ok := Edits(d, len(old))
			if ok != (tt.edits >= 0) || ok && len(edits) != tt.edits {
				t.Fatalf("%d edits, %v, want %d", len(edits), ok, tt.edits)
			}
			got := bytes.Clone(old)
			for _, e := range edits {
				copy(got[e.At:], e.New)
			}
			if ok && !bytes.Equal(got, tt.value) {
				t.Error("another value")
			}
		})
	}
	for _, bad := range []string{"\x04a", "\x05\x09", "\x00", "\x80", "\x01\x00", "\x04ab"} {
		if e, ok := Edits([]byte(bad), 10); ok {
			t.Errorf("%x: %v", bad, e)
		}
	}
}
