package session

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// All integers that fit are numbers, which can be added to.
func TestIntegersAreNumbers(t *testing.T) {
	newClient(t, newManager(t, Config{})).with(func(s *Session) {
		for _, v := range []any{int(7), int8(7), int16(7), int32(7), int64(7), uint(7), uint8(7), uint16(7), uint32(7), uint64(7)} {
			must(t, Set(s, "n", v))
			if n, err := s.Add("n", 1); n != 8 || err != nil {
				t.Errorf("%T: Add = %d, %v", v, n, err)
			}
			if f, u := get[float64](t, s, "n"), get[uint16](t, s, "n"); f != 8 || u != 8 {
				t.Errorf("%T: read as %v and %v", v, f, u)
			}
		}
		must(t, Set(s, "n", uint64(math.MaxUint64)))
		if n := get[uint64](t, s, "n"); n != math.MaxUint64 {
			t.Errorf("n = %d", n)
		}
		if _, err := s.Add("n", 1); !errors.Is(err, ErrNotNumber) {
			t.Errorf("Add = %v", err)
		}
		must(t, Set[any](s, "nil", nil))
		if v, ok, err := Get[any](s, "nil"); v != nil || !ok || err != nil {
			t.Errorf("Get = %v, %v, %v", v, ok, err)
		}
	})
}

func TestErrorsSayWhatWasWrong(t *testing.T) {
	newClient(t, newManager(t, Config{Limits: Limits{ValueBytes: 100}})).with(func(s *Session) {
		must(t, Set(s, "text", "x"))
		_, add := s.Add("text", 1)
		for _, tt := range []struct {
			err  error
			want string
		}{
			{Set(s, "big", strings.Repeat("x", 200)), `tribes: session: set "big": value too large: 202, limit 100`},
			{Set(s, "f", func() {}), `tribes: session: set "f": unsupported value: type func()`},
			{add, `tribes: session: add "text": attribute is not a number`},
			{Set(s, strings.Repeat("n", 300), 1), `tribes: session: set "` + strings.Repeat("n", 64) + `...": name too long: 300, limit 256`},
		} {
			if tt.err == nil || tt.err.Error() != tt.want {
				t.Errorf("error %v\nwant  %s", tt.err, tt.want)
			}
		}
	})
	for r, want := range map[Reason]string{Invalidated: "invalidated", Expired: "expired", 9: "unknown"} {
		if r.String() != want {
			t.Errorf("reason %d is %q", r, r)
		}
	}
}

func TestOldInterfacesOfResponses(t *testing.T) {
	m := newManager(t, Config{})
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := w.(http.Pusher).Push("/x", nil); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Push = %v", err)
		}
		must(t, Set(From(r), "v", 1))
		w.(http.Flusher).Flush()
		if err := From(r).Renew(); !errors.Is(err, ErrHeaderWritten) {
			t.Errorf("Renew after Flush = %v", err)
		}
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !w.Flushed || len(w.Result().Cookies()) != 1 {
		t.Errorf("flushed %v, cookies %v", w.Flushed, w.Result().Cookies())
	}
}
