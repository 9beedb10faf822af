package replica

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// Whoever has not introduced itself is not heard, but for its introduction.
func TestStrangersAreNotHeard(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		for name, b := range golden(t) {
			if name == "hello" {
				continue
			}
			if err := x.bytes(n, b); err == nil || !strings.Contains(err.Error(), errStranger.Error()) {
				t.Errorf("%s: %v", name, err)
			}
		}
		synctest.Wait()
		if s := n.Stats(); s.Strangers < 10 || s.Peers != 0 || n.Count() != 0 {
			t.Errorf("%+v, %d sessions", s, n.Count())
		}
		if len(x.kinds(sessionwire.KindHello)) == 0 {
			t.Error("a stranger is not told who this is")
		}
	})
}

// A stranger that answers nothing costs one goroutine, whatever it sends.
func TestFloodOfStranger(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		hold := make(chan bool)
		x.does(func(sessionwire.Message) error { <-hold; return nil })
		for range 1000 {
			if x.send(n, &sessionwire.Fetch{}) == nil {
				t.Fatal("a stranger was heard")
			}
		}
		if h := len(x.kinds(sessionwire.KindHello)); h > 1 {
			t.Errorf("greeted %d times at a time", h)
		}
		if s := n.Stats(); s.Strangers != 1000 || s.Refused != 0 {
			t.Errorf("%+v", s)
		}
		close(hold)
	})
}

// A change says whose it is; a member speaks for itself alone.
func TestForgedOrigin(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x, y := r.start("a", nil), r.rogue("x"), r.rogue("y")
		x.meet(n, sessionwire.Ready)
		_, c := y.made(1, nil)
		if err := x.send(n, c); err == nil || !strings.Contains(err.Error(), errOrigin.Error()) {
			t.Errorf("%v", err)
		}
		if s := n.Stats(); s.Rejected != 1 || n.Count() != 0 {
			t.Errorf("%+v, %d sessions", s, n.Count())
		}
	})
}

// What cannot be read is refused and counted, whatever was cut off or turned around.
func TestBadBytes(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		x.meet(n, sessionwire.Ready)
		bad := [][]byte{nil, {1}, {2, 3, 4}, {1, 0, 0}, {1, 11, 0}, {1, 255}, bytes.Repeat([]byte{255}, 1000),
			append([]byte{1, byte(sessionwire.KindFetch), 0}, bytes.Repeat([]byte{255}, 9)...)}
		for _, b := range bad {
			if x.bytes(n, b) == nil {
				t.Errorf("%x was taken", b)
			}
		}
		if s := n.Stats(); s.Malformed != uint64(len(bad)) {
			t.Errorf("%+v", s)
		}
		for name, b := range golden(t) {
			if name == "buckets" {
				b = b[:100] // all of it is numbers
			}
			for i := range b {
				x.meet(n, sessionwire.Ready) // it may have said goodbye
				if i > 0 && x.bytes(n, b[:i]) == nil {
					t.Errorf("%s: %d of %d bytes were taken", name, i, len(b))
				}
				turned := bytes.Clone(b)
				turned[i] ^= 1 << (i % 8)
				_ = x.bytes(n, turned) // may be another message
			}
		}
		if n.Count() > 100 {
			t.Errorf("%d sessions", n.Count())
		}
		n.create("still.works")
	})
}

// Sessions beyond twice the limit are refused and counted, and one line in ten seconds
// says so.
func TestFloodOfSessions(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", func(c *Config) { c.Sessions = 10 }), r.rogue("x")
		x.meet(n, sessionwire.Ready)
		flood := func() (taken int) {
			for i := range uint64(1000) {
				if _, c := x.made(i, nil); x.send(n, c) == nil {
					taken++
				}
			}
			return taken
		}
		if taken := flood(); taken != 20 || n.Count() != 20 || n.Stats().Rejected != 980 {
			t.Errorf("%d taken, %d sessions, %+v", taken, n.Count(), n.Stats())
		}
		if lines, _ := n.log.count("refused"); lines != 1 {
			t.Errorf("%d lines in the log", lines)
		}
		time.Sleep(hush.Pause)
		flood()
		if lines, _ := n.log.count("refused"); lines != 2 {
			t.Errorf("%d lines in the log after a pause", lines)
		}
	})
}

// What is too much in a change is refused as a whole and leaves nothing.
func TestTooMuchInAChange(t *testing.T) {
	tests := map[string]func(*record.Session){
		"value":      func(s *record.Session) { must(t, s.Set("a", make([]byte, 101))) },
		"name":       func(s *record.Session) { must(t, s.Set(strings.Repeat("n", 51), nil)) },
		"id":         func(s *record.Session) { must(t, s.SetID(strings.Repeat("i", 257))) },
		"principal":  func(s *record.Session) { must(t, s.SetPrincipal(make([]byte, 101))) },
		"attributes": func(s *record.Session) { many(t, s, 5*4+65, "n") },
		"bytes":      func(s *record.Session) { many(t, s, 80, strings.Repeat("n", 40)) },
	}
	inRig(t, func(r *rig) {
		limits := record.Limits{Attributes: 5, Value: 100, Name: 50, Bytes: 1600}
		n, x := r.start("a", func(c *Config) { c.Limits = limits }), r.rogue("x")
		x.meet(n, sessionwire.Ready)
		for name, set := range tests {
			if _, c := x.made(1, set); x.send(n, c) == nil || n.Count() != 0 {
				t.Errorf("%s: taken, %d sessions", name, n.Count())
			}
		}
		if s := n.Stats(); s.Rejected != uint64(len(tests)) {
			t.Errorf("%+v", s)
		}
	})
}

func many(t *testing.T, s *record.Session, attributes int, name string) {
	for i := range attributes {
		must(t, s.Set(fmt.Sprint(name, i), nil))
	}
}

// One session of a block that is refused costs no other.
func TestOneBadSessionCostsNoOther(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", func(c *Config) { c.Limits.Value = 100 }), r.rogue("x")
		x.meet(n, sessionwire.Ready)
		b := &sessionwire.StateBlock{Last: true}
		for i := range uint64(3) {
			s, _ := x.made(i, func(s *record.Session) {
				if i == 0 {
					must(t, s.Set("a", make([]byte, 101)))
				}
			})
			b.Sessions = append(b.Sessions, *s.Snapshot(0))
		}
		if x.send(n, b) == nil {
			t.Error("who gives a session is not told that it was refused")
		}
		if n.Count() != 2 || n.Peek("id-2.x") == nil || n.Stats().Rejected != 1 {
			t.Errorf("%d sessions, %+v", n.Count(), n.Stats())
		}
	})
}

// A session that has no id is not whole: it is asked for, and dropped if nobody gives it.
func TestSessionWithoutAnID(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		x.meet(n, sessionwire.Ready)
		s := record.New(record.NewSite(x.g.Local().ID(), record.Limits{}, false), keyOf(1))
		must(t, s.Set("k", []byte("v")))
		must(t, x.send(n, &sessionwire.Change{Change: *s.Take(0)}))
		synctest.Wait()
		if asked := len(x.kinds(sessionwire.KindFetch)); asked == 0 {
			t.Error("not asked for")
		}
		time.Sleep(time.Minute)
		if n.Count() != 0 {
			t.Errorf("%d sessions that nobody can find", n.Count())
		}
		b := &sessionwire.StateBlock{Last: true, Sessions: []record.Snapshot{*s.Snapshot(0)}}
		if err := x.send(n, b); err == nil || !strings.Contains(err.Error(), errNoID.Error()) || n.Count() != 0 {
			t.Errorf("given whole: %v, %d sessions", err, n.Count())
		}
	})
}

// An id that leads to a session does not lead to another one because a member says so;
// and a session that no id leads to expires as all others.
func TestStolenID(t *testing.T) {
	inRig(t, func(r *rig) {
		n, x := r.start("a", nil), r.rogue("x")
		x.meet(n, sessionwire.Ready)
		h := n.create("mine.a")
		_, c := x.made(1, func(s *record.Session) {
			must(t, s.SetID("mine.x"), s.SetTimeout(time.Minute, 0))
		})
		must(t, x.send(n, c))
		if n.Peek("mine") != h || n.Stats().Rejected != 1 || n.Count() != 2 {
			t.Errorf("%d sessions, %+v", n.Count(), n.Stats())
		}
		time.Sleep(2 * time.Minute)
		if n.Peek("mine") != h || n.Count() != 1 {
			t.Errorf("%d sessions after the end of one", n.Count())
		}
	})
}

// Ends of sessions that are not here take bounded memory, and none that is remembered is
// forgotten for one that is known already.
func TestTombsAreBounded(t *testing.T) {
	ts := tombs{m: make(map[record.Key]tomb)}
	for i := range uint64(maxTombs + 1000) {
		ts.add(keyOf(i), record.End{}, 0, 0)
	}
	if len(ts.m) != maxTombs {
		t.Errorf("%d are remembered", len(ts.m))
	}
	for k := range ts.m {
		ts.add(k, record.End{}, 0, time.Minute)
		break
	}
	if len(ts.m) != maxTombs {
		t.Errorf("%d are remembered after one came again", len(ts.m))
	}
	ts.purge(minTomb + time.Minute + 1)
	ts.purge(maxTomb + 1)
	if len(ts.m) != 0 {
		t.Errorf("%d are remembered for ever", len(ts.m))
	}
}

// What is missing of sessions that came and went is not noted for ever.
func TestGapsAreBounded(t *testing.T) {
	inRig(t, func(r *rig) {
		n := r.boot("a", nil) // not started: nobody fetches
		for i := range uint64(5 * perBatch) {
			n.missing(keyOf(i), record.NodeOf(n.self().ID()))
		}
		if len(n.gaps) > 2*perBatch {
			t.Errorf("%d gaps of no session", len(n.gaps))
		}
	})
}
