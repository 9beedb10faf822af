package record

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAttributes(t *testing.T) {
	s := on('a', Limits{})
	set(t, s, "user", "alice")
	set(t, s, "cart", "")
	must(t, s.SetNumber("n", 7))
	add(t, s, "hits", 2, 2)
	wantShow(t, s, "cart= hits=#2 n=#7 user=alice")
	if v, found := s.Get("cart"); !found || v.Kind != Bytes || len(v.Bytes) != 0 {
		t.Errorf("Get of an empty value = %v, %v", v, found)
	}
	if v, found := s.Get("none"); found || !s.Version("none").IsZero() {
		t.Errorf("Get of nothing = %v, %v", v, found)
	}
	set(t, s, "n", "text")
	must(t, s.SetNumber("user", 1))
	remove(t, s, "hits")
	if found, err := s.Delete("hits"); found || err != nil {
		t.Errorf("a second Delete = %v, %v", found, err)
	}
	if found, err := s.Delete("none"); found || err != nil {
		t.Errorf("Delete of nothing = %v, %v", found, err)
	}
	wantShow(t, s, "cart= n=text user=#1")
	if s.Len() != 3 {
		t.Errorf("Len() = %d, want 3", s.Len())
	}
	checkBooks(t, s)
	for range s.All() {
		break // a loop may end early
	}
}

func TestLimits(t *testing.T) {
	l := Limits{Attributes: 2, Name: 4, Value: 10, Bytes: 3 * entryCost, Nodes: 1, ID: 5}
	tests := []struct {
		name  string
		write func(s *Session) error
		want  error
	}{
		{"name", func(s *Session) error { return s.Set("fiver", nil) }, ErrNameTooLong},
		{"name of an Add", func(s *Session) error { _, err := s.Add("fiver", 1); return err }, ErrNameTooLong},
		{"no name", func(s *Session) error { return s.Set("", nil) }, ErrEmpty},
		{"no name of an Add", func(s *Session) error { _, err := s.Add("", 1); return err }, ErrEmpty},
		{"value", func(s *Session) error { return s.Set("a", make([]byte, 11)) }, ErrValueTooLarge},
		{"principal", func(s *Session) error { return s.SetPrincipal(make([]byte, 11)) }, ErrValueTooLarge},
		{"attributes", func(s *Session) error { return s.Set("c", nil) }, ErrTooManyAttributes},
		{"attributes of a number", func(s *Session) error { return s.SetNumber("c", 0) }, ErrTooManyAttributes},
		{"attributes of an Add", func(s *Session) error { _, err := s.Add("c", 1); return err }, ErrTooManyAttributes},
		{"id", func(s *Session) error { return s.SetID("sixsix") }, ErrIDTooLong},
		{"no id", func(s *Session) error { return s.SetID("") }, ErrEmpty},
		{"Add to bytes", func(s *Session) error { _, err := s.Add("a", 1); return err }, ErrNotNumber},
		{"Add of 0 to bytes", func(s *Session) error { _, err := s.Add("a", 0); return err }, ErrNotNumber},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := on('a', l)
			set(t, s, "a", "1")
			must(t, s.SetNumber("b", 2))
			s.Take(start)
			before, digest := show(s), s.Digest()
			if err := tt.write(s); !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), "tribes: session: ") {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if show(s) != before || s.Digest() != digest || s.Pending() || s.clock != 2 {
				t.Errorf("a write that failed has left %q", show(s))
			}
		})
	}
}

func TestSessionTooLarge(t *testing.T) {
	s := on('a', Limits{Bytes: entryCost + 1 + 10})
	set(t, s, "a", "0123456789")
	var l *LimitError
	if err := s.Set("a", []byte("0123456789A")); !errors.As(err, &l) || l.Err != ErrSessionTooLarge || l.Have != l.Max+1 {
		t.Errorf("Set of one byte too many: %v", err)
	}
	if err := s.SetPrincipal([]byte("x")); !errors.Is(err, ErrSessionTooLarge) {
		t.Errorf("SetPrincipal: %v", err)
	}
	if _, err := s.Add("n", 1); !errors.Is(err, ErrSessionTooLarge) {
		t.Errorf("Add: %v", err)
	}
	set(t, s, "a", "012345678") // smaller is allowed
	remove(t, s, "a")
	set(t, s, "a", "0123456789")
}

func TestLimitsHaveDefaults(t *testing.T) {
	want := Limits{Attributes: 1000, Removed: 64, Name: 256, Value: 1 << 20, Bytes: 4 << 20, Nodes: 4096, ID: 256, IDs: 3}
	if got := NewSite(nodeID('a'), Limits{Name: -1}, false).limits; got != want {
		t.Errorf("limits = %+v, want %+v", got, want)
	}
	if got := NewSite(nodeID('a'), Limits{Bytes: math.MaxInt}, false).limits.Bytes; got != most {
		t.Errorf("the largest limit is %d, want %d", got, most)
	}
	defer func() {
		if recover() == nil {
			t.Error("NewSite with the zero ID does not panic")
		}
	}()
	NewSite(Node{}.ID(), Limits{}, false)
}

func TestPrincipalAndTimeout(t *testing.T) {
	a, b := on('a', Limits{}), on('b', Limits{})
	must(t, a.SetPrincipal([]byte("alice")), a.SetTimeout(1500*time.Microsecond, start))
	merge(t, b, a.Take(start))
	wantShow(t, b, "user=alice timeout=2ms")
	must(t, b.SetPrincipal(nil), b.SetTimeout(-1, start))
	must(t, a.SetPrincipal([]byte("bob"))) // at the same time; b's node is higher
	must(t, a.SetTimeout(Never, start))
	merge(t, a, b.Take(start))
	merge(t, b, a.Take(start))
	if a.Principal() != nil || b.Principal() != nil || a.Timeout() != 0 || a.Digest() != b.Digest() {
		t.Errorf("%q and %q", show(a), show(b))
	}
	if got, want := wholeMillis(Never), time.Duration(Never/time.Millisecond*time.Millisecond); got != want {
		t.Errorf("the longest timeout is %d, want %d", got, want)
	}
}

// A change has what was written since the last one, once.
func TestTakeCoalesces(t *testing.T) {
	a := on('a', Limits{})
	if a.Pending() || a.Take(start) != nil {
		t.Error("an empty session has something to send")
	}
	set(t, a, "x", "1")
	set(t, a, "y", "1")
	set(t, a, "x", "2")
	add(t, a, "n", 1, 1)
	add(t, a, "n", 2, 3)
	must(t, a.SetID("first"), a.SetID("second"), a.SetID("second"))
	c := a.Take(start)
	if len(c.Attributes) != 3 || c.From != 0 || c.To != 7 || c.Origin != node('a') || c.Key != testKey {
		t.Errorf("Take = %+v", c)
	}
	if x := c.Attributes[1]; string(x.Value) != "2" || x.Version != ver(3, 'a') {
		t.Errorf("x = %+v", x)
	}
	if n := c.Attributes[0]; !slices.Equal(n.Shares, []Share{{node('a'), 5, 3}}) {
		t.Errorf("n = %+v", n)
	}
	if a.Pending() || a.Take(start) != nil {
		t.Error("a second Take has something")
	}
	set(t, a, "y", "2")
	if c := a.Take(start); len(c.Attributes) != 1 || c.From != 7 || c.To != 8 {
		t.Errorf("the next Take = %+v", c)
	}
}

// What a change holds does not change with the session.
func TestChangesStayAsTheyAre(t *testing.T) {
	a, b, c := on('a', Limits{}), on('b', Limits{}), on('c', Limits{})
	set(t, a, "x", "1")
	add(t, a, "n", 1, 1)
	first, all := a.Take(start), a.Snapshot(start)
	set(t, a, "x", "2")
	add(t, a, "n", 1, 2)
	merge(t, b, first)
	if _, err := c.MergeSnapshot(all, start); err != nil {
		t.Fatal(err)
	}
	wantShow(t, b, "n=#1 x=1")
	wantShow(t, c, "n=#1 x=1")
	add(t, b, "n", 5, 6)
	set(t, b, "x", "3")
	if first.Attributes[0].Shares[0].Sum != 1 || len(first.Attributes[0].Shares) != 1 || string(first.Attributes[1].Value) != "1" {
		t.Errorf("the change is now %+v", first)
	}
}

// A merge keeps nothing of the change.
func TestMergeCopies(t *testing.T) {
	a, b, c := on('a', Limits{}), on('b', Limits{}), on('c', Limits{})
	set(t, a, "x", "value")
	must(t, a.SetPrincipal([]byte("alice")))
	add(t, a, "n", 1, 1)
	change := a.Take(start)
	merge(t, b, change)
	if _, err := c.MergeSnapshot(a.Snapshot(start), start); err != nil {
		t.Fatal(err)
	}
	for i := range change.Attributes {
		clear(change.Attributes[i].Value)
		clear(change.Attributes[i].Shares)
	}
	clear(change.Principal.Value)
	wantShow(t, b, "n=#1 x=value user=alice")
	wantShow(t, c, "n=#1 x=value user=alice")
}

// The id that is given after a login is the current one, whatever a node writes meanwhile that
// does not know of it. To log in again as the same counts for one write, and so does a login
// that fails.
func TestLoginCountsForMany(t *testing.T) {
	a, b := on('a', Limits{Bytes: 1000}), on('b', Limits{})
	must(t, a.SetID("old"))
	merge(t, b, a.Take(start))
	if err := a.Login(make([]byte, 2000)); !errors.Is(err, ErrSessionTooLarge) {
		t.Errorf("error %v, want ErrSessionTooLarge", err)
	}
	must(t, a.Login([]byte("alice")), a.Login([]byte("alice")), a.SetID("login"))
	if v, want := a.Written(), uint64(1+LoginStep+2); v != want {
		t.Errorf("counter %d, want %d", v, want)
	}
	for range 1000 {
		must(t, b.SetID("renewed"), b.SetID("old"))
	}
	merge(t, a, b.Take(start))
	merge(t, b, a.Take(start))
	for _, s := range []*Session{a, b} {
		if s.ID() != "login" || string(s.Principal()) != "alice" || s.Digest() != a.Digest() {
			t.Errorf("%q", show(s))
		}
	}
}
