package sessiontest

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Codec is what session.Codec is.
type Codec interface {
	// Name is a short word.
	Name() string
	// Marshal returns the bytes of v, which belong to the caller.
	Marshal(v any) ([]byte, error)
	// Unmarshal decodes into v, a pointer, and keeps nothing of data.
	Unmarshal(data []byte, v any) error
}

// RoundTrip checks that a codec brings each of values back as it was, with unexported
// fields; that the bytes which it returns and is given belong to the caller; that it works in
// several goroutines at once; and that it survives bytes which are cut off or damaged.
// Values are compared by their method Equal if they have one, as time.Time has. Pass one of
// each type that you keep in sessions, such as a struct, not a pointer to it.
func RoundTrip(t testing.TB, c Codec, values ...any) {
	t.Helper()
	if c.Name() == "" {
		t.Error("the codec has no name")
	}
	if len(values) == 0 {
		t.Error("no values")
	}
	for _, v := range values {
		if v == nil {
			t.Error("nil has no type to decode into")
			continue
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { roundTrip(t, c, v) })
		}
		wg.Wait()
		damage(t, c, v)
	}
}

func roundTrip(t testing.TB, c Codec, v any) {
	t.Helper()
	b, err := c.Marshal(v)
	if err != nil {
		t.Errorf("%s: Marshal of %T: %v", c.Name(), v, err)
		return
	}
	kept := bytes.Clone(b)
	again, err := c.Marshal(v)
	if err != nil {
		t.Errorf("%s: second Marshal of %T: %v", c.Name(), v, err)
		return
	}
	for i := range again {
		again[i] = 0xAA
	}
	if !bytes.Equal(b, kept) {
		t.Errorf("%s: two results of Marshal of %T share memory", c.Name(), v)
	}
	into := reflect.New(reflect.TypeOf(v))
	given := bytes.Clone(kept)
	if err := c.Unmarshal(given, into.Interface()); err != nil {
		t.Errorf("%s: Unmarshal of %T: %v", c.Name(), v, err)
		return
	}
	if !bytes.Equal(given, kept) {
		t.Errorf("%s: Unmarshal of %T has changed its input", c.Name(), v)
	}
	for i := range given {
		given[i] = 0xAA // what was decoded must not be part of it
	}
	if diff := cmp.Diff(v, into.Elem().Interface(), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("%s: %T came back differently (-before +after):\n%s", c.Name(), v, diff)
	}
}

// damage decodes what is left of v, encoded, after something has happened to it. Whether that is an
// error is the codec's to say: it must not panic.
func damage(t testing.TB, c Codec, v any) {
	t.Helper()
	b, err := c.Marshal(v)
	if err != nil {
		return // was reported
	}
	try := func(b []byte) {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: Unmarshal of %d damaged bytes %.40x into %T: panic: %v\n%s", c.Name(), len(b), b, v, p, debug.Stack())
			}
		}()
		_ = c.Unmarshal(b, reflect.New(reflect.TypeOf(v)).Interface())
	}
	const most = 1000
	r := rand.New(rand.NewPCG(1, uint64(len(b))))
	for n := range min(len(b), most) {
		try(bytes.Clone(b[:n]))
		bad := bytes.Clone(b)
		bad[r.IntN(len(bad))] ^= byte(1 << r.IntN(8))
		try(bad)
	}
}
