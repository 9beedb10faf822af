package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var codecs = []Codec{CBOR(), Gob(), JSON()}

type profile struct {
	Name    string
	Age     int
	Score   float64
	Admin   bool
	Tags    []string
	Limits  map[string]int
	Since   time.Time
	Picture []byte
	Boss    *profile
}

func someProfile() profile {
	return profile{
		Name: "Ann", Age: 42, Score: 2.5, Tags: []string{"a", "b"}, Limits: map[string]int{"x": 1, "y": 2},
		Since: time.Date(2026, 11, 27, 1, 2, 3, 456789, time.FixedZone("", 3600)), Picture: []byte{0, 255},
		Boss: &profile{Name: "Bob", Since: time.Unix(1, 0).UTC()},
	}
}

func TestCodecsRoundTrip(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.Name(), func(t *testing.T) {
			roundTrip(t, c, someProfile())
			roundTrip(t, c, "text")
			roundTrip(t, c, []byte{1, 2})
			roundTrip(t, c, []int64{1, -1, math.MaxInt64})
			roundTrip(t, c, map[string]cart{"a": {Total: 1}})
			roundTrip(t, c, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
			roundTrip(t, c, time.Duration(5))
			roundTrip(t, c, true)
			roundTrip(t, c, struct{ U url.URL }{url.URL{Scheme: "https", Host: "example.com"}})
			roundTrip(t, c, struct{ A []string }{})
			roundTrip(t, c, uint64(math.MaxUint64))
		})
	}
}

func roundTrip[T any](t *testing.T, c Codec, want T) {
	t.Helper()
	v, err := encode(c, want)
	must(t, err)
	got, ok, err := As[T](Value{codec: c, rec: v})
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("%T came back differently: %s", want, diff)
	}
}

func TestMoreOfCBOR(t *testing.T) {
	roundTrip(t, CBOR(), netip.MustParseAddr("fe80::1").String())
	n, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	v, err := encode(CBOR(), n)
	must(t, err)
	got, _, err := As[big.Int](Value{codec: CBOR(), rec: v})
	must(t, err)
	if got.Cmp(n) != 0 {
		t.Errorf("%v", &got)
	}
	v, err = encode(CBOR(), map[string]any{"n": 1, "m": map[string]any{"x": []any{"y", 1.5, true, nil}}})
	must(t, err)
	anything, _, err := As[any](Value{codec: CBOR(), rec: v})
	must(t, err)
	want := map[string]any{"n": int64(1), "m": map[string]any{"x": []any{"y", 1.5, true, nil}}}
	if diff := cmp.Diff(want, anything); diff != "" {
		t.Error(diff)
	}
	a, errA := CBOR().Marshal(map[string]int{"a": 1, "b": 2, "c": 3, "d": 4})
	b, errB := CBOR().Marshal(map[string]int{"d": 4, "c": 3, "b": 2, "a": 1})
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("equal maps have bytes %x and %x (%v, %v)", a, b, errA, errB)
	}
}

type list struct {
	Value string
	Next  *list
}

type node struct{ Left, Right *node }

type hidden struct{ a, b int }

func unsupported() map[string]any {
	cycle := &list{}
	cycle.Next = cycle
	loop := map[string]any{}
	loop["self"] = loop
	shared := &node{}
	for range 40 {
		shared = &node{shared, shared}
	}
	deep := &list{}
	for range 1000 {
		deep = &list{Next: deep}
	}
	return map[string]any{
		"a channel": make(chan int), "a function": func() {}, "a channel in a slice": []chan int{nil},
		"a function in a struct": struct{ F func() }{}, "a lock": struct{ Mu *sync.Mutex }{},
		"nothing exported": hidden{1, 2}, "nothing exported in a map": map[string]hidden{"a": {1, 2}},
		"behind an interface": []any{1, make(chan int)}, "complex": 1i, "a pointer as number": uintptr(1),
		"a cycle": cycle, "a cycle of maps": loop, "two to the 40 parts": shared, "too deep": deep,
	}
}

func TestUnsupportedValues(t *testing.T) {
	for _, c := range codecs {
		newClient(t, newManager(t, Config{Codec: c})).with(func(s *Session) {
			must(t, Set(s, "v", "before"))
			for name, v := range unsupported() {
				if err := Set(s, "v", v); !errors.Is(err, ErrUnsupported) {
					t.Errorf("%s: Set of %s = %v", c.Name(), name, err)
				}
			}
			if v := get[string](t, s, "v"); v != "before" {
				t.Errorf("v = %q", v)
			}
		})
	}
}

func TestSupportedValuesThatLookOdd(t *testing.T) {
	for _, v := range []any{
		struct {
			F func() `json:"-"`
			A int
		}{A: 1},
		list{Next: &list{}}, []any{nil, "x"}, struct{}{}, map[string]struct{}{"a": {}}, (*list)(nil),
		[]node{{}}, map[string]any{"a": []list{{Value: "x"}}}, json.RawMessage("{}"),
	} {
		if err := checkValue(v); err != nil {
			t.Errorf("checkValue(%T) = %v", v, err)
		}
	}
}

// What is set can be read: the limits of decoding hold when encoding.
func TestCBORRefusesWhatItCouldNotDecode(t *testing.T) {
	var v any = "x"
	for range maxLevels + 1 {
		v = []any{v}
	}
	if _, err := CBOR().Marshal(v); err == nil {
		t.Errorf("%d levels were encoded", maxLevels+1)
	}
	if _, err := CBOR().Marshal(make([]bool, maxElements+1)); err == nil {
		t.Errorf("%d elements were encoded", maxElements+1)
	}
}

// A few bytes that announce much take little memory.
func TestCBORTakesNoMemoryForPromises(t *testing.T) {
	for _, in := range []string{
		"\x9a\x00\x0f\xff\xff", "\xba\x00\x0f\xff\xff", "\x5b\x00\x00\x00\x7f\xff\xff\xff\xff", "\x7a\x7f\xff\xff\xff",
		"\x9f\x01\xff", "\xa2\x61a\x01\x61a\x02", strings.Repeat("\x81", 1<<20), strings.Repeat("\xc1", 1<<16),
	} {
		const runs = 50
		data := []byte(in)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			var v any
			if err := CBOR().Unmarshal(data, &v); err == nil {
				t.Fatalf("%.20x was decoded", in)
			}
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > 8<<10 {
			t.Errorf("%.20x: %d bytes allocated", in, n)
		}
	}
}

func TestNothingAfterAValue(t *testing.T) {
	for _, c := range codecs {
		b, err := c.Marshal("x")
		must(t, err)
		var s string
		if err := c.Unmarshal(append(b, b...), &s); err == nil {
			t.Errorf("%s decodes a value with something after it", c.Name())
		}
		if err := c.Unmarshal(nil, &s); err == nil {
			t.Errorf("%s decodes nothing", c.Name())
		}
	}
}

var someCart = cart{Items: []string{"tea", "coffee", "sugar"}, Total: 12.5}

func BenchmarkCodec(b *testing.B) {
	values := map[string]any{"struct": someProfile(), "cart": someCart, "text16": strings.Repeat("x", 16), "bytes1k": make([]byte, 1<<10), "list1000": make([]int, 1000)}
	for _, c := range codecs {
		for name, v := range values {
			data, err := c.Marshal(v)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(c.Name()+"/"+name+"/encode", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := encode(c, v); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(data)), "bytes")
			})
			b.Run(c.Name()+"/"+name+"/decode", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := decodeAs(c, data, v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// decodeAs decodes into a new variable of the type of v.
func decodeAs(c Codec, data []byte, v any) error {
	switch v.(type) {
	case string:
		return c.Unmarshal(data, new(string))
	case cart:
		return c.Unmarshal(data, new(cart))
	case []byte:
		return c.Unmarshal(data, new([]byte))
	case []int:
		return c.Unmarshal(data, new([]int))
	}
	return c.Unmarshal(data, new(profile))
}
