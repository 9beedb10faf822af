package stock

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/system"
	"github.com/gotribes/tribes/bench/session/internal/web"
	"github.com/gotribes/tribes/bench/session/internal/web/webtest"
	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Sessions that never reach the other node are found at rest, all others are not.
func TestIncompleteSessionsAreCounted(t *testing.T) {
	const sessions = 200
	for _, lost := range []int{0, 20} {
		c := webtest.New(2)
		first := 0 // of the requests that fill, behind those of the probe
		c.Faults.LoseReplica = func(n int) bool { first++; return first <= lost }
		dials := []web.Dial{c.Dial(0), c.Dial(1)}
		p := Plan{Sessions: sessions, Conns: 4}
		r := &Result{Size: 100}
		made, err := r.fill(t.Context(), p, dials, false)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rest, err = audit(t.Context(), dials, made, true); err != nil {
			t.Fatal(err)
		}
		if want := (load.Rest{Checked: sessions, Stale: lost, Differing: lost}); r.Rest != want {
			t.Errorf("%+v, want %+v", r.Rest, want)
		}
		if len(made) != 2 || len(made[0]) != sessions/2 || r.Rate <= 0 || r.P99 <= 0 {
			t.Errorf("%d nodes, %.0f sessions per second, p99 %f", len(made), r.Rate, r.P99)
		}
		c.Close()
	}
}

func TestReplicationUnderLoad(t *testing.T) {
	c := webtest.New(2)
	defer c.Close()
	dials := []web.Dial{c.Dial(0), c.Dial(1)}
	r := &Result{Size: 100}
	if _, err := r.fill(t.Context(), Plan{Sessions: 500, Conns: 4}, dials, true); err != nil {
		t.Fatal(err)
	}
	if len(r.Replication) == 0 || r.Late != 0 {
		t.Errorf("%d replication times, %d late", len(r.Replication), r.Late)
	}
}

func TestTable(t *testing.T) {
	columns, err := system.Choose(system.Columns(), "tomcat-sync,tribes-delta-all")
	if err != nil {
		t.Fatal(err)
	}
	o := &Outcome{plan: Plan{Columns: columns, Sizes: []int{16}}, results: []*Result{
		{Column: "tomcat-sync", Size: 16, Heap: []float64{900, 1100}, Held: []int64{5, 4}, Rest: load.Rest{Checked: 5, Stale: 1}},
		{Column: "tribes-delta-all", Size: 16, Heap: []float64{400, 600}, Replication: []time.Duration{time.Millisecond}},
	}}
	var out bytes.Buffer
	o.Table(&out)
	for _, want := range []string{"900 1100", "0.50", "5 4", "1.000"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
