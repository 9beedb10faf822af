package load

import (
	"testing"

	"github.com/gotribes/tribes/bench/session/internal/web"
	"github.com/gotribes/tribes/bench/session/internal/web/webtest"
)

// Where not every node is to have a session, so many are to have it as it was acknowledged,
// and no other one an older state.
func TestCopies(t *testing.T) {
	c := webtest.New(3)
	defer c.Close()
	c.Faults.LoseReplica = func(n int) bool { return n != 2 } // the second write reaches all
	var conns []*web.Conn
	for i := range 3 {
		conns = append(conns, &web.Conn{Dial: c.Dial(i), Timeout: requestLimit})
		defer conns[i].Close()
	}
	s := new(Session)
	look := func(copies int) finding {
		t.Helper()
		all := checks([]*Session{s}, func(*Session) []int { return []int{0, 1, 2} }, 1)
		all[0].copies = copies
		f, err := all[0].look(t.Context(), conns)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if err := s.Create(t.Context(), conns[0], 1, 10); err != nil {
		t.Fatal(err)
	}
	for copies, want := range map[int]finding{0: {true, true, 1}, 1: {false, false, 1}, 2: {true, false, 1}} {
		if f := look(copies); f != want {
			t.Errorf("one node has it, %d are to: %+v, want %+v", copies, f, want)
		}
	}
	var l Losses
	for _, want := range []finding{{false, false, 2}, {true, true, 3}} {
		if err := s.Write(t.Context(), conns[0], 0, &l); err != nil {
			t.Fatal(err)
		}
		if f := look(2); f != want {
			t.Errorf("after write %d: %+v, want %+v", s.Acked[0], f, want)
		}
	}
}
