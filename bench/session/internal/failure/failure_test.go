package failure

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/web"
	"github.com/gotribes/tribes/bench/session/internal/web/webtest"
	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

const paced = 2000

func runWith(t *testing.T, rate int, f webtest.Faults, damage func(*webtest.Cluster)) *Result {
	t.Helper()
	c := webtest.New(3)
	defer c.Close()
	c.Faults = f
	n := Nodes{Dials: []web.Dial{c.Dial(0), c.Dial(1), c.Dial(2)},
		Break: func(context.Context, []string) error { damage(c); return nil }}
	r, err := Run(t.Context(), n, Load{Sessions: 30, Conns: 10, Rate: rate, Before: 50 * time.Millisecond,
		After: 50 * time.Millisecond, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A kill costs requests and, where all copies are good, nothing else.
func TestKill(t *testing.T) {
	r := runWith(t, paced, webtest.Faults{}, func(c *webtest.Cluster) { c.Kill(1) })
	if r.Failed == 0 || r.Abandoned != 0 {
		t.Errorf("%d of %d requests failed, %d for good", r.Failed, r.Requests, r.Abandoned)
	}
	if want := (load.Losses{Failed: r.Failed}); r.Losses != want || r.Sessions != 30 {
		t.Errorf("%+v", r.Losses)
	}
}

// A node that had copies to itself takes acknowledged updates with it.
func TestKillOfTheOnlyCopy(t *testing.T) {
	r := runWith(t, paced, webtest.Faults{LoseReplica: func(int) bool { return true }}, func(c *webtest.Cluster) { c.Kill(1) })
	if r.Updates == 0 {
		t.Errorf("%+v", r.Losses)
	}
}

func TestNoDamage(t *testing.T) {
	r := runWith(t, paced, webtest.Faults{}, func(*webtest.Cluster) {})
	if r.Losses != (load.Losses{}) || r.Repeated != 0 || r.Requests == 0 || r.Longest == 0 {
		t.Errorf("%+v", r)
	}
}

// Without a rate each client sends the next request when it has the answer.
func TestClosedLoop(t *testing.T) {
	r := runWith(t, 0, webtest.Faults{}, func(*webtest.Cluster) {})
	if r.Losses != (load.Losses{}) || r.Requests == 0 {
		t.Errorf("%d requests, %+v", r.Requests, r.Losses)
	}
	if r.P50 <= 0 || r.P50 > r.P99 || r.P99 > r.Longest || r.Steady != r.Longest || r.Usual > r.Longest {
		t.Errorf("p50 %v, p99 %v, longest %v, at the first attempt %v, before %v", r.P50, r.P99, r.Longest, r.Steady, r.Usual)
	}
	n := 0
	for _, s := range r.Line {
		n += s.Requests
	}
	if n != r.Requests {
		t.Errorf("%d requests in the time line, %d in all", n, r.Requests)
	}
}

// A client behind a balancer repeats what has failed and gives it up in the end.
func TestNeverAnswered(t *testing.T) {
	c := webtest.New(1)
	defer c.Close()
	refused := make(chan struct{})
	var once sync.Once
	dial := func(ctx context.Context) (net.Conn, error) {
		conn, err := c.Dial(0)(ctx)
		if err != nil {
			once.Do(func() { close(refused) })
		}
		return conn, err
	}
	n := Nodes{Dials: []web.Dial{dial}, Balanced: true, Break: func(context.Context, []string) error {
		c.Kill(0)
		<-refused
		return nil
	}}
	r, err := Run(t.Context(), n, Load{Sessions: 2, Conns: 2, Before: 10 * time.Millisecond, Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Abandoned < 2 || r.Repeated == 0 || r.Failed == 0 || r.LastErr == nil {
		t.Errorf("%d of %d requests given up, %d failed, %d repeated; %v", r.Abandoned, r.Requests, r.Failed, r.Repeated, r.LastErr)
	}
}
