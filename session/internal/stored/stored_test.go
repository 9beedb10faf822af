package stored

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/store"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func session(key byte) *record.Session {
	return record.New(record.NewSite(membership.NewID(), record.Limits{}, false), record.Key{key})
}

// row stores a session.
func row(codec string, s *record.Session, version uint64, accessed time.Time) *store.Session {
	return &store.Session{
		ID: "id", Version: version, Accessed: accessed, Timeout: Kept(s.Timeout(), time.Minute), Data: Encode(codec, s.Snapshot(0)),
	}
}

// load gives a node what is stored.
func load(t testing.TB, s *record.Session, r *store.Session) {
	t.Helper()
	sn, err := Decode("cbor", r.Data)
	must(t, err)
	_, err = s.MergeSnapshot(sn, 0)
	must(t, err)
}

// Two nodes that write to one stored session without knowing of each other lose nothing when
// what they have saved is merged, in whatever order.
func TestMerge(t *testing.T) {
	begin := time.UnixMilli(1_700_000_000_000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		a, b := session(1), session(1)
		must(t, a.SetID("id.a"), a.SetTimeout(time.Hour, 0))
		_, err := a.Add("n", 5)
		must(t, err)
		load(t, b, row("cbor", a, 1, begin))
		sum, names := int64(5), make(map[string]bool)
		for i := range rnd.IntN(20) {
			s, who := a, "a"
			if rnd.IntN(2) == 0 {
				s, who = b, "b"
			}
			d := int64(rnd.IntN(10) + 1)
			_, err := s.Add("n", d)
			must(t, err, s.Set(fmt.Sprint(who, i), []byte(who)))
			names[fmt.Sprint(who, i)] = true
			sum += d
		}
		x, y := row("cbor", a, 7, begin.Add(time.Minute)), row("cbor", b, 9, begin)
		one, err := Merge(x, y)
		must(t, err)
		two, err := Merge(y, x)
		must(t, err)
		if !bytes.Equal(one.Data, two.Data) || one.Version != two.Version || !one.Accessed.Equal(two.Accessed) || one.Timeout != two.Timeout {
			t.Fatalf("round %d: the order matters:\n%+v\n%+v", round, one, two)
		}
		if one.Version != 10 || !one.Accessed.Equal(begin.Add(time.Minute)) || one.Timeout != Kept(time.Hour, time.Minute) || one.ID != "id" {
			t.Errorf("%+v", one)
		}
		c := session(1)
		load(t, c, one)
		if v, _ := c.Get("n"); v.Number != sum || c.Len() != len(names)+1 {
			t.Errorf("round %d: n %d of %d, %d attributes of %d", round, v.Number, sum, c.Len(), len(names)+1)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	make := func(key byte) *record.Session {
		s := session(key)
		must(t, s.SetID("id"))
		return s
	}
	good := row("cbor", make(1), 1, time.Now())
	bad := *good
	bad.Data = []byte("bad")
	for name, b := range map[string]*store.Session{"bytes": &bad, "codec": row("json", make(1), 1, time.Now()), "key": row("cbor", make(2), 1, time.Now())} {
		for _, pair := range [][2]*store.Session{{good, b}, {b, good}} {
			if m, err := Merge(pair[0], pair[1]); err == nil || m != nil {
				t.Errorf("%s: %v, %v", name, m, err)
			}
		}
	}
	var codec *CodecError
	if _, err := Decode("gob", good.Data); !errors.As(err, &codec) || codec.Got != "cbor" {
		t.Errorf("Decode with another codec: %v", err)
	}
	var version *sessionwire.VersionError
	if _, err := Decode("cbor", []byte{9}); !errors.As(err, &version) {
		t.Errorf("Decode of version 9: %v", err)
	}
}

func TestKept(t *testing.T) {
	for _, tt := range []struct{ timeout, interval, want time.Duration }{
		{0, time.Minute, 0},
		{-1, time.Minute, 0},
		{30 * time.Minute, time.Minute, 31 * time.Minute},
		{time.Minute, time.Minute, 75 * time.Second},
		{time.Millisecond, time.Minute, 2 * time.Millisecond},
		{record.Never / time.Millisecond * time.Millisecond, time.Minute, record.Never / time.Millisecond * time.Millisecond},
	} {
		if got := Kept(tt.timeout, tt.interval); got != tt.want {
			t.Errorf("Kept(%v, %v) = %v, want %v", tt.timeout, tt.interval, got, tt.want)
		}
		if back := Timeout(tt.want, tt.interval); tt.timeout >= time.Second && tt.timeout < time.Hour && (back-tt.timeout).Abs() > 5*time.Millisecond {
			t.Errorf("Timeout(%v, %v) = %v, want %v", tt.want, tt.interval, back, tt.timeout)
		}
	}
}
