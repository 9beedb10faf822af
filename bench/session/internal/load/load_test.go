package load_test

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

func nth(n int) func(int) bool { return func(i int) bool { return i%n == 0 } }

// once is true for the request of that number.
func once(n int) func(int) bool { return func(i int) bool { return i == n } }

func run(t *testing.T, workload string, f webtest.Faults) *load.Result {
	t.Helper()
	c := webtest.New(2)
	defer c.Close()
	c.Faults = f
	w, err := load.Choose(workload)
	if err != nil {
		t.Fatal(err)
	}
	w[0].Conns = min(w[0].Conns, 4)
	target := load.Target{Dials: []web.Dial{c.Dial(0), c.Dial(1)}, Replicated: true,
		Mark: func(context.Context) (uint64, time.Duration, error) { return 0, 0, nil }}
	r, err := w[0].Run(t.Context(), target, load.Times{
		Window: 50 * time.Millisecond, Probe: 20 * time.Millisecond, Settle: 300 * time.Millisecond, Least: 100, Max: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests == 0 || r.Checked == 0 {
		t.Errorf("%s: %d requests, %d attributes checked", workload, r.Requests, r.Checked)
	}
	if left := c.Sessions(0) + c.Sessions(1); left > 0 && f.LoseSession == nil {
		t.Errorf("%s: %d copies of sessions left", workload, left)
	}
	return r
}

func TestNothingLost(t *testing.T) {
	for _, w := range load.Workloads() {
		r := run(t, w.Name, webtest.Faults{})
		if r.Losses != (load.Losses{}) || r.LastErr != nil {
			t.Errorf("%s: %+v, %v", w.Name, r.Losses, r.LastErr)
		}
	}
}

// Each kind of loss is counted where it belongs.
func TestLossesAreCounted(t *testing.T) {
	tests := []struct {
		name, workload string
		faults         webtest.Faults
		holds          func(load.Losses) bool
	}{
		{"updates", "write", webtest.Faults{LoseWrite: nth(10)}, func(l load.Losses) bool { return l.Updates > 0 && l.Sessions == 0 && l.Failed == 0 }},
		{"one update in common", "shared", webtest.Faults{LoseWrite: once(50)}, func(l load.Losses) bool { return l == load.Losses{Updates: 1} }},
		{"one session", "write", webtest.Faults{LoseSession: once(60)}, func(l load.Losses) bool { return l.Sessions == 1 && l.Updates == 0 }},
		{"replicas", "new-large", webtest.Faults{LoseReplica: nth(2)}, func(l load.Losses) bool { return l.Stale > 0 && l.Stale == l.Differing && l.Updates == 0 }},
		{"one refused", "write", webtest.Faults{Refuse: once(60)}, func(l load.Losses) bool { return l == load.Losses{Failed: 1} }},
		{"one without answer", "write", webtest.Faults{Hang: once(60)}, func(l load.Losses) bool { return l == load.Losses{Failed: 1} }},
		{"reads", "read95", webtest.Faults{LoseWrite: nth(3)}, func(l load.Losses) bool { return l.Reads+l.Updates+l.Stale > 0 && l.Sessions == 0 }},
		{"one increment", "incr-spread", webtest.Faults{LoseAdd: once(20)}, func(l load.Losses) bool { return l == load.Losses{Updates: 1} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if r := run(t, test.workload, test.faults); !test.holds(r.Losses) {
				t.Errorf("%+v, %v", r.Losses, r.LastErr)
			}
		})
	}
}

// A replica that is late at the first look is not counted as ready.
func TestReadyAtFirstPoll(t *testing.T) {
	if r := run(t, "write-2", webtest.Faults{}); r.Probes.First != len(r.Probes.Times) || len(r.Probes.Times) == 0 {
		t.Errorf("%d of %d were ready", r.Probes.First, len(r.Probes.Times))
	}
	if r := run(t, "write-2", webtest.Faults{Later: true}); r.Probes.First != 0 || len(r.Probes.Times) == 0 {
		t.Errorf("%d of %d were ready, with replicas that are late", r.Probes.First, len(r.Probes.Times))
	}
}

func TestChoose(t *testing.T) {
	if _, err := load.Choose("write,nonsense"); err == nil {
		t.Error("a workload that is not there was found")
	}
	if w, err := load.Choose("write,patch"); err != nil || len(w) != 2 || w[1].Name != "patch" {
		t.Error(w, err)
	}
}
