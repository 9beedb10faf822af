package sessiontest_test

import (
	"encoding/json"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/session/sessiontest"
)

var _ sessiontest.Codec = session.Codec(nil)

type order struct {
	Items map[string]int
	At    time.Time
	Note  *string
	Bytes []byte
}

func TestRoundTripOfOurCodecs(t *testing.T) {
	note := "x"
	for _, c := range []session.Codec{session.CBOR(), session.JSON(), session.Gob()} {
		t.Run(c.Name(), func(t *testing.T) {
			sessiontest.RoundTrip(t, c,
				order{map[string]int{"a": 1, "b": -2}, time.Now(), &note, []byte{0, 255}},
				"text", 7, int64(math.MinInt64), true, 2.5, []string{"a", ""})
		})
	}
}

// report is a test that only notes whether it has failed.
type report struct {
	testing.TB
	failed atomic.Bool
}

func (r *report) Helper()               {}
func (r *report) Error(...any)          { r.failed.Store(true) }
func (r *report) Errorf(string, ...any) { r.failed.Store(true) }

// jsonLike is a codec with a fault.
type jsonLike struct {
	marshal   func(v any) ([]byte, error)
	unmarshal func(b []byte, v any) error
}

func (jsonLike) Name() string                      { return "broken" }
func (c jsonLike) Marshal(v any) ([]byte, error)   { return c.marshal(v) }
func (c jsonLike) Unmarshal(b []byte, v any) error { return c.unmarshal(b, v) }

func TestRoundTripFindsFaults(t *testing.T) {
	good := jsonLike{json.Marshal, json.Unmarshal}
	aliased := func(b []byte, v any) error {
		*v.(*[]byte) = b
		return nil
	}
	plain := func(v any) ([]byte, error) { return append([]byte(nil), v.([]byte)...), nil }
	for name, tt := range map[string]struct {
		codec jsonLike
		value any
		want  bool
	}{
		"none":       {good, "x", false},
		"hidden":     {good, struct{ a int }{1}, true},
		"precision":  {good, map[string]any{"n": int64(1) << 60}, true},
		"no value":   {good, nil, true},
		"refused":    {good, make(chan int), true},
		"keeps data": {jsonLike{plain, aliased}, []byte{1, 2}, true},
		"clobbers": {jsonLike{json.Marshal, func(b []byte, v any) error {
			err := json.Unmarshal(b, v)
			clear(b)
			return err
		}}, "x", true},
		"panics": {jsonLike{json.Marshal, func(b []byte, v any) error {
			_ = b[2]
			return json.Unmarshal(b, v)
		}}, "x", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &report{TB: t}
			sessiontest.RoundTrip(r, tt.codec, tt.value)
			if r.failed.Load() != tt.want {
				t.Errorf("failed: %t, want %t", r.failed.Load(), tt.want)
			}
		})
	}
	r := &report{TB: t}
	sessiontest.RoundTrip(r, session.JSON())
	if !r.failed.Load() {
		t.Error("no values, and no failure")
	}
}
