package javaser

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// kept returns how many bytes stay in use for what f returns.
func kept(f func() Value) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

// chainOfClasses returns an object whose class has n super classes, and then more objects of it.
func chainOfClasses(n, objects int) string {
	var b strings.Builder
	b.WriteString("73" + desc("C", "0c", "0000") + "73")
	for range n {
		b.WriteString("72" + java("D") + strings.Repeat("00", 8) + "02" + "0000" + "78")
	}
	b.WriteString("70")
	return b.String() + strings.Repeat("7371007e0002", objects) + "78"
}

// TestMemoryOfHostileStreams: what takes most memory for its length takes no more than the
// factor, whatever else is allowed, and a stream that would is refused before it does.
func TestMemoryOfHostileStreams(t *testing.T) {
	external := "73" + desc("C", "0c", "0000")
	const length = 1 << 20
	units := map[string]string{
		"nulls": "70", "strings": "740000", "objects": "7371007e000078", "blocks": "70770161", "joined blocks": "770161",
		"classes": desc("", "02", "0000"), "fields": "72000000000000000000000200044a00004a00004a00004a00007870",
	}
	for name, unit := range units {
		t.Run(name, func(t *testing.T) {
			in := stream(t, external+strings.Repeat(unit, length/(len(unit)/2))+"78")
			for _, factor := range []int{4, 0} {
				var err error
				most := Limits{Factor: factor}.resolve().Factor*len(in) + freeMemory
				n := kept(func() (v Value) {
					v, err = Decode(in, Limits{Values: -1, Handles: -1, Factor: factor})
					return v
				})
				var e *FormatError
				if factor == 0 && err != nil || err != nil && (!errors.As(err, &e) || !e.Limit) {
					t.Errorf("factor %d: %v", factor, err)
				}
				if n > most {
					t.Errorf("factor %d: %d bytes take %d, want %d at most", factor, len(in), n, most)
				}
			}
		})
	}
	for _, objects := range []int{500, 50_000} {
		in := stream(t, chainOfClasses(100, objects))
		var err error
		n := allocated(func() { _, err = Decode(in, Limits{Values: -1}) })
		var e *FormatError
		if !errors.As(err, &e) || !e.Limit {
			t.Errorf("%d objects of a hundred classes in %d bytes: %v, want a limit", objects, len(in), err)
		}
		if n > uint64(2*(DefaultFactor*len(in)+freeMemory)) {
			t.Errorf("%d objects of a hundred classes in %d bytes took %d before they were refused", objects, len(in), n)
		}
	}
}

// TestMemoryOfHonestStreams: a list of many small objects, as Java writes it, is within the
// limit.
func TestMemoryOfHonestStreams(t *testing.T) {
	number := &Class{Name: "java.lang.Number", UID: -0x7953e2e26b4d7f75, Flags: FlagSerializable}
	integer := &Class{Name: "java.lang.Integer", UID: 1360826667806852920, Flags: FlagSerializable, Fields: []Field{{Type: 'I', Name: "value"}}, Super: number}
	list := &Class{Name: "java.util.ArrayList", Flags: FlagSerializable | FlagWriteMethod, Fields: []Field{{Type: 'I', Name: "size"}}}
	for _, n := range []int{10, 1000, 100_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var all []Value
			for i := range n {
				all = append(all, &Object{Class: integer, Data: []ClassData{{Class: number}, {Class: integer, Fields: []Value{Int(i)}}}})
			}
			in := mustAppend(t, &Object{Class: list, Data: []ClassData{{Class: list, Fields: []Value{Int(n)}, Extra: all}}})
			if _, err := Decode(in, Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
}
