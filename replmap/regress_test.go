package replmap

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// An entry that has ended on one member alone ends on its writer too, though its version is
// that of the writer: who compares is told. (Seed 135 of TestSimulation.)
func TestEndIsToldToItsWriter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config[string, string]) { c.Repair = 24 * time.Hour })
		all := f.start("a", "b")
		a, b := all[0], all[1]
		a.put("k", "v")
		time.Sleep(5 * time.Second)
		e, _ := b.r.table.Get("k")
		e.Value, e.Gone = nil, true
		if _, err := b.r.table.Merge(&e); err != nil {
			t.Fatal(err)
		}
		n := a.rep.(*native)
		n.peers.Mend(n.peers.All()[0]) // the writer compares, and sends what it has
		time.Sleep(5 * time.Second)
		checkSame(t, a, b)
		if a.get("k") != "-" {
			t.Errorf("k is %s", a.get("k"))
		}
		a.stop()
		b.stop()
	})
}

// A greeting that comes after its member is gone makes no member that stays, also if
// another one answers at its address. (Seed 247 of TestSimulation.)
func TestLateGreeting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		a, old := all[0], all[1].g.Local()
		all[1].crash()
		b := f.start("b")[0]
		time.Sleep(10 * time.Second)
		n := a.rep.(*native)
		hello := &mapwire.Hello{MinVersion: 1, MaxVersion: 1, Map: n.name, Codecs: n.codecs, State: mapwire.Ready, Known: true}
		if n.met(old, hello) == nil {
			t.Error("a greeting is taken of whose place another has")
		}
		a.put("k", "v")
		time.Sleep(2 * time.Minute)
		if s := a.Stats(); s.Members != 1 || s.Current != 1 {
			t.Errorf("%+v", s)
		}
		checkSame(t, a, b)
		a.stop()
		b.stop()
	})
}

// A member that became ready while it could not be heard is told to have: its keys have it
// as their primary everywhere. (Seed 150 of TestSimulation.)
func TestReadyIsToldUntilHeard(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		a := f.start("a")[0]
		b := f.boot("b")
		started := make(chan error, 1)
		go func() { started <- b.Start(t.Context()) }()
		for b.Stats().Members == 0 {
			time.Sleep(time.Millisecond)
		}
		f.net.Cut("b", "a") // what b says is lost from now on
		time.Sleep(2 * time.Second)
		f.net.Heal()
		must(t, <-started)
		time.Sleep(10 * time.Second)
		if s := a.Stats(); s.Members != 1 || s.Current != 1 {
			t.Errorf("%+v", s)
		}
		a.stop()
		b.stop()
	})
}
