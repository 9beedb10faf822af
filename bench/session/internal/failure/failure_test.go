package failure

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/web"
	"github.com/gotribes/tribes/bench/session/internal/web/webtest"
	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func runWith(t *testing.T, f webtest.Faults, damage func(*webtest.Cluster)) *Result {
	t.Helper()
	c := webtest.New(3)
	defer c.Close()
	c.Faults = f
	n := Nodes{Dials: []web.Dial{c.Dial(0), c.Dial(1), c.Dial(2)},
		Break: func(context.Context) error { damage(c); return nil }}
	r, err := Run(t.Context(), n, Load{Sessions: 30, Rate: 2000, Before: 50 * time.Millisecond,
		After: 50 * time.Millisecond, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A kill costs requests and, where all copies are good, nothing else.
func TestKill(t *testing.T) {
	r := runWith(t, webtest.Faults{}, func(c *webtest.Cluster) { c.Kill(1) })
	if r.Failed == 0 || r.Abandoned != 0 {
		t.Errorf("%d of %d requests failed, %d for good", r.Failed, r.Requests, r.Abandoned)
	}
	if want := (load.Losses{Failed: r.Failed}); r.Losses != want || r.Sessions != 30 {
		t.Errorf("%+v", r.Losses)
	}
}

// A node that had copies to itself takes acknowledged updates with it.
func TestKillOfTheOnlyCopy(t *testing.T) {
	r := runWith(t, webtest.Faults{LoseReplica: func(int) bool { return true }}, func(c *webtest.Cluster) { c.Kill(1) })
	if r.Updates == 0 {
		t.Errorf("%+v", r.Losses)
	}
}

func TestNoDamage(t *testing.T) {
	r := runWith(t, webtest.Faults{}, func(*webtest.Cluster) {})
	if r.Losses != (load.Losses{}) || r.Repeated != 0 || r.Requests < 30 || r.Longest == 0 {
		t.Errorf("%+v", r)
	}
}
