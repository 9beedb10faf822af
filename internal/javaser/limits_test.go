package javaser

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
)

func TestLimitsResolve(t *testing.T) {
	tests := []struct {
		name string
		in   Limits
		want Limits
	}{
		{"zero", Limits{}, Limits{DefaultDepth, DefaultValues, DefaultHandles, DefaultBytes, DefaultFactor}},
		{"given", Limits{1, 2, 3, 4, 5}, Limits{1, 2, 3, 4, 5}},
		{"none", Limits{-1, -1, -1, -1, -1}, Limits{MaxDepth, math.MaxInt, math.MaxInt32 - baseHandle, math.MaxInt, math.MaxInt}},
		{"too deep", Limits{Depth: MaxDepth + 1}, Limits{MaxDepth, DefaultValues, DefaultHandles, DefaultBytes, DefaultFactor}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.resolve(); got != tt.want {
				t.Errorf("resolve(%+v) = %+v, want %+v", tt.in, got, tt.want)
			}
		})
	}
}

// nested returns the hex digits of n arrays in each other around a null.
func nested(n int) string {
	if n == 0 {
		return "70"
	}
	return "75" + desc("[[I", "02", "0000") + "00000001" + strings.Repeat("7571007e000000000001", n-1) + "70"
}

// TestLimitsExact: each limit lets through what just fits and nothing more.
func TestLimitsExact(t *testing.T) {
	object := "73" + desc("C", "02", "0002"+"49"+java("i")+"4c"+java("s")+"74"+java("LS;")) + "00000001" + "740000"
	tests := []struct {
		name string
		in   string
		need Limits
	}{
		// array, array in it, null; a null and a reference are a level too
		{"depth of arrays", nested(2), Limits{Depth: 3}},
		// object, class, super class, none
		{"depth of a class chain", "7372" + java("C") + strings.Repeat("00", 7) + "01" + "020000" + "78" + desc("D", "02", "0000"),
			Limits{Depth: 4}},
		// null is one value
		{"a null", "70", Limits{Depth: 1, Values: 1, Bytes: 5}},
		// place, class, two fields, type string, no super class, level, two values
		{"an object", object, Limits{Depth: 3, Values: 9, Handles: 4}},
		// place, class, no super class (the third level); the content is not counted
		{"bytes", "75" + desc("[B", "02", "0000") + "00000008" + "0102030405060708", Limits{Depth: 3, Values: 3, Handles: 2}},
		// place, class, no super class, four elements
		{"elements", "75" + desc("[[B", "02", "0000") + "00000004" + "70707070", Limits{Values: 7}},
		// place, class, no super class, level, three blocks and a null
		{"blocks", "73" + desc("C", "0c", "0000") + "770161" + "770162" + "70" + "7700" + "78", Limits{Values: 8}},
		// place, class, no super class, interfaces, level
		{"interfaces", "737d" + "00000003" + "0000" + "0000" + "0000" + "7870", Limits{Values: 7}},
		// place, class, no super class, name
		{"enum", "7e" + desc("E", "12", "0000") + "74000141", Limits{Values: 4, Handles: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := stream(t, tt.in)
			if _, err := Decode(in, tt.need); err != nil {
				t.Fatalf("Decode with what is needed: %v", err)
			}
			for field, less := range lessThan(tt.need) {
				_, err := Decode(in, less)
				var e *FormatError
				if !errors.As(err, &e) || !e.Limit || !strings.HasPrefix(e.Reason, "more than ") {
					t.Errorf("Decode with one less %s: %v, want a limit", field, err)
				}
			}
		})
	}
}

// lessThan returns copies of lim, each with one of its numbers too small.
func lessThan(lim Limits) map[string]Limits {
	list := make(map[string]Limits)
	add := func(name string, n int, set func(*Limits)) {
		if n > 1 { // one less than one would be zero, the default
			less := lim
			set(&less)
			list[name] = less
		}
	}
	add("depth", lim.Depth, func(l *Limits) { l.Depth-- })
	add("values", lim.Values, func(l *Limits) { l.Values-- })
	add("handles", lim.Handles, func(l *Limits) { l.Handles-- })
	add("bytes", lim.Bytes, func(l *Limits) { l.Bytes-- })
	return list
}

func TestLimitsChainByReference(t *testing.T) {
	// A chain of classes that is never nested in the stream, since each
	// class refers back to the one before it. It is as deep all the same.
	chain := func(n int) []byte {
		var b strings.Builder
		b.WriteString("73" + desc("C", "0c", "0000"))
		handle := baseHandle
		for i := range n {
			b.WriteString("72" + java("C") + strings.Repeat("00", 8) + "020000" + "78")
			if i == 0 {
				b.WriteString("70")
				handle += 2 // the outer class and object
			} else {
				b.WriteString("71" + hexHandle(handle))
				handle++
			}
		}
		b.WriteString("7371" + hexHandle(handle) + "78")
		return stream(t, b.String())
	}
	if _, err := Decode(chain(10), Limits{Depth: 10}); err != nil {
		t.Errorf("chain of 10: %v", err)
	}
	_, err := Decode(chain(11), Limits{Depth: 10})
	var e *FormatError
	if !errors.As(err, &e) || !e.Limit {
		t.Errorf("chain of 11 = %v, want a limit", err)
	}
}

func hexHandle(h int) string {
	return fmt.Sprintf("%08x", h)
}

func TestMaxDepthHolds(t *testing.T) {
	none := Limits{Depth: -1, Values: -1, Handles: -1, Bytes: -1}
	deep := stream(t, nested(MaxDepth-1))
	v, err := Decode(deep, none)
	if err != nil {
		t.Fatalf("Decode at MaxDepth: %v", err)
	}
	checkSame(t, "Append", mustAppend(t, v), deep)
	if _, err := Decode(stream(t, nested(MaxDepth)), none); err == nil {
		t.Error("Decode beyond MaxDepth succeeds")
	}
	var e *ValueError
	one := &Array{Class: v.(*Array).Class, Elems: []Value{v}}
	if _, err := Append(nil, one); !errors.As(err, &e) {
		t.Errorf("Append beyond MaxDepth = %v, want a *ValueError", err)
	}
}

// allocated returns the number of bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestAnnouncedLengths: no announced length takes memory that the input does
// not back.
func TestAnnouncedLengths(t *testing.T) {
	tests := []struct {
		name string
		in   string
	}{
		{"array of bytes", "75" + desc("[B", "02", "0000") + "7fffffff"},
		{"array of longs", "75" + desc("[J", "02", "0000") + "7fffffff"},
		{"array of objects", "75" + desc("[LC;", "02", "0000") + "7fffffff70"},
		{"string", "7c7fffffffffffffff61"},
		{"block", "73" + desc("C", "0c", "0000") + "7a7fffffff"},
		{"second block", "73" + desc("C", "0c", "0000") + "7701617a7fffffff"},
		{"interfaces", "737d7fffffff"},
		{"fields", "7372" + java("C") + strings.Repeat("00", 8) + "02" + "ffff" + "49"},
		{"field values", "73" + desc("C", "02", "0001"+"4a"+java("a"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := stream(t, tt.in)
			n := allocated(func() {
				if _, err := Decode(in, Limits{Depth: -1, Values: -1, Handles: -1, Bytes: -1}); err == nil {
					t.Error("no error")
				}
			})
			if n > 64<<10 {
				t.Errorf("%d bytes allocated for an input of %d", n, len(in))
			}
		})
	}
}

// TestMemoryPerValue: the documented bound, for the inputs that get most out of
// each byte.
func TestMemoryPerValue(t *testing.T) {
	const values = 20000
	external := "73" + desc("C", "0c", "0000")
	tests := []struct {
		name string
		unit string
	}{
		{"nulls", "70"},
		{"strings", "740000"},
		{"objects", "7371007e000078"},
		{"classes", desc("", "02", "0000")},
		{"fields", "72000000000000000000000200044a00004a00004a00004a00007870"},
		{"arrays", "7571007e0001" + "00000000"},
		{"blocks", "70770161"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			head := external
			if tt.name == "arrays" {
				head = "7372" + java("C") + strings.Repeat("00", 8) + "0c0000" + "75" + desc("[[I", "02", "0000") + "00000000" + "7870"
			}
			in := stream(t, head+strings.Repeat(tt.unit, values))
			n := allocated(func() {
				if _, err := Decode(in, Limits{Values: values}); err == nil {
					t.Error("no error")
				}
			})
			// Lists that grow are copied, which is garbage rather than use.
			if per := n / values; per > 400 {
				t.Errorf("%d bytes allocated per value", per)
			}
		})
	}
}
