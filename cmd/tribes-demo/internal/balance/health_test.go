package balance

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// heard is a log that tells what was logged and of which node.
type heard struct {
	slog.Handler
	lines chan string
}

// Handle implements slog.Handler.
func (h heard) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "node" {
			h.lines <- r.Message + ": " + a.Value.String()
		}
		return true
	})
	return nil
}

func TestHealthChecksRemoveAndReadmit(t *testing.T) {
	h := heard{slog.DiscardHandler, make(chan string, 100)}
	log := slog.New(enabled{h})
	c := newCluster(t, Config{Every: time.Millisecond, Log: log}, "n1", "n2")
	next := func(want string) {
		t.Helper()
		if got := <-h.lines; got != want {
			t.Fatalf("logged %q, want %q", got, want)
		}
	}
	next("node is up: n1")
	next("node is up: n2")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) }) // ends with cancel
	defer running.Wait()
	defer cancel()

	n1 := c.backends["n1"]
	for range 3 {
		n1.setReady(http.StatusServiceUnavailable)
		next("node is down: n1")
		if n := c.info("n1"); n.why != "not ready: status 503" {
			t.Errorf("n1 is down: %q", n.why)
		}
		if got := c.goesTo("sid=x.n1", 2); got != "n2 n2" {
			t.Errorf("went to %s, want n2", got)
		}
		n1.setReady(http.StatusOK)
		next("node is up: n1")
		if got := c.goesTo("sid=x.n1", 2); got != "n1 n1" {
			t.Errorf("went to %s, want n1", got)
		}
	}
	c.vanish("n1")
	c.probes.CloseIdleConnections()
	next("node is down: n1")

	again := newBackend(t, "n1 again") // elsewhere
	c.SetAddr("n1", again.addr())
	next("node is up: n1")
	if got := c.goesTo("sid=x.n1", 1); got != "n1 again" {
		t.Errorf("went to %s, want n1 again", got)
	}
}

// enabled is a log of everything.
type enabled struct{ heard }

// Enabled implements slog.Handler.
func (enabled) Enabled(context.Context, slog.Level) bool { return true }

// TestLateCheck: what a check finds out about a process that was replaced, or
// asked to stop, meanwhile does not count.
func TestLateCheck(t *testing.T) {
	tests := map[string]func(p *Proxy){
		"replaced": func(p *Proxy) { p.SetAddr("n1", "127.0.0.1:1") },
		"gone":     func(p *Proxy) { p.SetAddr("n1", "") },
		"draining": func(p *Proxy) { p.Drain("n1") },
	}
	for name, meanwhile := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, Config{}, "n1")
			slow := newBackend(t, "slow")
			slow.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { meanwhile(c.Proxy) })
			c.SetAddr("n1", slow.addr())
			c.check(t.Context(), "n1")
			if n := c.info("n1"); n.up {
				t.Errorf("n1 is up: %+v", n)
			}
		})
	}
}

// TestDrain: a node that is to stop finishes what it has and gets nothing new.
func TestDrain(t *testing.T) {
	c := newCluster(t, Config{}, "n1", "n2")
	came, finish := make(chan bool), make(chan bool)
	c.backends["n1"].answer = func(w http.ResponseWriter, _ *http.Request) {
		came <- true
		<-finish
		w.Write([]byte("finished"))
	}
	var running sync.WaitGroup
	running.Go(func() {
		if w := c.send(t.Context(), "POST", "sid=x.n1", ""); w.Code != 200 || w.Body.String() != "finished" {
			t.Errorf("status %d, %s: want what was begun to be finished", w.Code, w.Body)
		}
	})
	<-came
	c.Drain("n1")
	c.check(t.Context(), "n1") // although it says that it is ready
	if got := c.goesTo("sid=x.n1", 3); got != "n2 n2 n2" {
		t.Errorf("went to %s, want n2", got)
	}
	close(finish)
	running.Wait()
	if n := c.info("n1"); n.up || n.why != "stopping" {
		t.Errorf("n1 is %+v", n)
	}
	c.admit("n1", c.backends["n1"].addr()) // a new process
}

// TestUnknownNode: a name that is none changes nothing.
func TestUnknownNode(t *testing.T) {
	c := newCluster(t, Config{}, "n1")
	c.SetAddr("n9", "127.0.0.1:1")
	c.Drain("n9")
	c.check(t.Context(), "n9")
	if got := c.goesTo("", 2); got != strings.Join([]string{"n1", "n1"}, " ") {
		t.Errorf("went to %s", got)
	}
}
