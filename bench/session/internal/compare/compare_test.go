package compare

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/system"
	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestSampleOf(t *testing.T) {
	r := &load.Result{Requests: 4, Window: 2 * time.Second, Wire: 400, CPU: 8 * time.Microsecond,
		Lats:   []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond, 5 * time.Millisecond},
		Probes: load.Probes{Times: []time.Duration{time.Millisecond}, First: 1}, Losses: load.Losses{Late: 1}}
	s := sampleOf(r, 2, true)
	if s.PerSecond != 2 || s.Response != 2 || s.P50 != 1 || s.P99 != 5 || s.Request != 1000 || s.Wire != 100 || s.CPU != 2 || s.First != 0.5 {
		t.Errorf("%+v", s)
	}
	if s := sampleOf(r, 2, false); s.Wire >= 0 {
		t.Errorf("bytes that were not counted: %v", s.Wire)
	}
	if s := sampleOf(&load.Result{}, 2, true); s.Response >= 0 || s.PerSecond != 0 {
		t.Errorf("no request: %+v", s)
	}
}

func TestTable(t *testing.T) {
	columns, err := system.Choose(system.Columns(), "tomcat-sync,tomcat-alone,scs-redis")
	if err != nil {
		t.Fatal(err)
	}
	workloads, err := load.Choose("new-lite,new-large")
	if err != nil {
		t.Fatal(err)
	}
	o := &Outcome{plan: Plan{Columns: columns, Workloads: workloads, Nodes: []int{2}}, samples: make(map[cell][]Sample)}
	for _, v := range []float64{9, 3, 4} { // the median is 4
		o.samples[cell{2, "new-lite", "tomcat-sync"}] = append(o.samples[cell{2, "new-lite", "tomcat-sync"}],
			Sample{Response: v, PerSecond: 100, Losses: load.Losses{Stale: 2}})
	}
	o.samples[cell{2, "new-lite", "tomcat-alone"}] = []Sample{{Response: 1, PerSecond: 250}}
	o.samples[cell{2, "new-large", "tomcat-sync"}] = []Sample{{Response: 8, PerSecond: 50}}
	var out bytes.Buffer
	o.Table(&out)
	for _, want := range []string{"+3.000", "2.50", "6 attributes stale at rest", "not counted",
		"100 small attributes are 2-3 times quicker than a large one: confirmed at tomcat-sync, 2 nodes (2.00 times; new sessions)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
