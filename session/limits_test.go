package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	m := newManager(t, Config{
		Limits:    Limits{Sessions: 1, Attributes: 2, NameBytes: 8, ValueBytes: 100, SessionBytes: 300},
		LocalOnly: func(name string) bool { return strings.HasPrefix(name, "local") },
	})
	c := newClient(t, m)
	c.with(func(s *Session) {
		must(t, Set(s, "a", "x"))
		tests := []struct {
			err  error
			want error
			max  int
		}{
			{Set(s, "too-long-name", 1), ErrNameTooLong, 8},
			{Set(s, "local-too-long", 1), ErrNameTooLong, 8},
			{Set(s, "b", strings.Repeat("x", 200)), ErrValueTooLarge, 100},
		}
		must(t, Set(s, "local", 1))
		tests = append(tests, struct {
			err  error
			want error
			max  int
		}{Set(s, "local2", 1), ErrTooManyAttributes, 2})
		for _, tt := range tests {
			var limit *LimitError
			if !errors.Is(tt.err, tt.want) || !errors.As(tt.err, &limit) || limit.Max != tt.max {
				t.Errorf("error %v, want %v with the limit %d", tt.err, tt.want, tt.max)
			}
		}
		if v := get[string](t, s, "a"); v != "x" || s.Len() != 2 {
			t.Errorf("a = %q, %d attributes", v, s.Len())
		}
	})
	newClient(t, m).with(func(s *Session) {
		if err := Set(s, "a", 1); !errors.Is(err, ErrTooManySessions) {
			t.Errorf("Set in a second session = %v", err)
		}
	})
	if st := m.Stats(); st.Refused != 1 || st.Sessions != 1 {
		t.Errorf("%+v", st)
	}
	c.with(func(s *Session) { s.Invalidate() })
	newClient(t, m).with(func(s *Session) { must(t, Set(s, "a", 1)) })
}

func TestSessionBytes(t *testing.T) {
	newClient(t, newManager(t, Config{Limits: Limits{SessionBytes: 500}})).with(func(s *Session) {
		must(t, Set(s, "a", strings.Repeat("x", 300)))
		if err := Set(s, "b", strings.Repeat("x", 300)); !errors.Is(err, ErrSessionTooLarge) {
			t.Errorf("Set = %v", err)
		}
		if s.Has("b") || s.Size() < 300 || s.Size() > 500 {
			t.Errorf("size %d", s.Size())
		}
	})
}

// One request may set and remove names without end.
func TestManyNamesInOneRequest(t *testing.T) {
	newClient(t, newManager(t, Config{})).with(func(s *Session) {
		for i := range 3000 {
			name := fmt.Sprint("form-", i)
			must(t, Set(s, name, "x"))
			if found, err := s.Delete(name); !found || err != nil {
				t.Fatalf("Delete = %v, %v", found, err)
			}
		}
	})
}

func TestLocalOnly(t *testing.T) {
	m := newManager(t, Config{LocalOnly: func(name string) bool { return name == "conn" }})
	c := newClient(t, m)
	conn := make(chan int, 1)
	c.with(func(s *Session) {
		must(t, Set(s, "conn", conn))
		must(t, Set(s, "a", "x"))
	})
	c.with(func(s *Session) {
		if got := get[chan int](t, s, "conn"); got != conn {
			t.Error("not the same channel")
		}
		if _, _, err := Get[string](s, "conn"); !errors.Is(err, ErrType) {
			t.Errorf("Get as text = %v", err)
		}
		if _, err := s.Add("conn", 1); !errors.Is(err, ErrNotNumber) {
			t.Errorf("Add = %v", err)
		}
		if names := s.Names(); !slices.Equal(names, []string{"a", "conn"}) {
			t.Errorf("names %v", names)
		}
		if found, err := s.Delete("conn"); !found || err != nil || s.Has("conn") {
			t.Errorf("Delete = %v, %v", found, err)
		}
		if n, err := s.Add("conn", 2); n != 2 || err != nil {
			t.Errorf("Add = %d, %v", n, err)
		}
	})
}

func TestListener(t *testing.T) {
	var told []string
	note := func(kind string) func(Event) {
		return func(e Event) {
			old, _, errOld := As[any](e.Old)
			val, _, errNew := As[any](e.New)
			told = append(told, fmt.Sprint(kind, " ", e.Name, " ", old, " ", val, " ", e.Remote))
			if errOld != nil || errNew != nil || e.ID == "" {
				t.Errorf("%s: %v, %v, id %q", kind, errOld, errNew, e.ID)
			}
		}
	}
	m := newManager(t, Config{Listener: Listener{
		Created: note("created"), Destroyed: note("destroyed"), IDChanged: note("id"),
		AttributeSet: note("set"), AttributeRemoved: note("removed"),
	}})
	newClient(t, m).with(func(s *Session) {
		must(t, Set(s, "a", "x"))
		must(t, Set(s, "a", "y"))
		must(t, Update(s, "a", func(v *string) error { *v += "z"; return nil }))
		if _, err := s.Add("n", 2); err != nil {
			t.Error(err)
		}
		for range 2 {
			if _, err := s.Delete("a"); err != nil {
				t.Error(err)
			}
		}
		must(t, s.Renew())
		s.Invalidate()
	})
	want := []string{
		"created  <nil> <nil> false", "set a <nil> x false", "set a x y false", "set a y yz false",
		"set n <nil> 2 false", "removed a yz <nil> false", "id  <nil> <nil> false", "destroyed  <nil> <nil> false",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

// scsStore is the interface of github.com/alexedwards/scs.
type scsStore interface {
	Delete(token string) error
	Find(token string) (b []byte, found bool, err error)
	Commit(token string, b []byte, expiry time.Time) error
	All() (map[string][]byte, error)
}

var _ scsStore = (*SCS)(nil)
