package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/transport/mem"
)

// ready asks a node what a load balancer asks.
func (n *server) ready() int {
	w := httptest.NewRecorder()
	n.ReadyHandler().ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
	return w.Code
}

// stalled runs f with a node that started when there was one other, which stopped to
// answer, without leaving, when it had given a part of its sessions.
func stalled(t *testing.T, cfg func(*Config), f func(a, b *server, ids []string, started <-chan error)) {
	bubble.Test(t, func(t *testing.T) {
		farm := newFarm(t, func(c *Config) {
			c.Cluster.BlockSessions, c.Cluster.StateTimeout = 1, 20*time.Second
			cfg(c)
		})
		farm.net = mem.NewNetwork(mem.Config{Seed: 1, DropTime: time.Hour, Link: mem.Link{Delay: time.Millisecond}})
		a := farm.start("a")[0]
		ids := fill(t, a, 500)
		b := farm.boot("b")
		started := make(chan error, 1)
		go func() { started <- b.Start(context.Background()) }()
		for b.Stats().Sessions == 0 {
			time.Sleep(time.Millisecond)
		}
		farm.net.Isolate("a")
		f(a, b, ids, started)
		farm.net.Heal()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		must(t, b.Start(ctx))
		time.Sleep(10 * time.Second)
		alike(t, []*server{a, b}, a.Stats().Sessions)
		if s := a.Stats().Sessions; s < len(ids) {
			t.Errorf("%d sessions of at least %d", s, len(ids))
		}
		if b.ready() != http.StatusOK || b.ClusterStats().Current != 1 {
			t.Errorf("after the heal: ready says %d, %+v", b.ready(), b.ClusterStats())
		}
		a.stop()
		b.stop()
	})
}

// A node that no other gives the sessions says so after StateTimeout, stays unready and
// goes on to look: it is ready, with all of them, when the others answer again.
func TestStateTimeout(t *testing.T) {
	log := new(testlog.Log)
	cfg := func(c *Config) { c.Cluster.Logger = slog.New(slog.NewTextHandler(log, nil)) }
	stalled(t, cfg, func(a, b *server, ids []string, started <-chan error) {
		time.Sleep(15 * time.Second)
		if n := b.ClusterStats().Incomplete; n != 0 || strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%d starts without state before the timeout, log %s", n, log)
		}
		time.Sleep(10 * time.Second)
		if n := b.ClusterStats().Incomplete; n != 1 {
			t.Errorf("%d starts without state", n)
		}
		if !strings.Contains(log.String(), "no member has given the sessions of the group") || !strings.Contains(log.String(), "serves=false") {
			t.Errorf("log %s", log)
		}
		time.Sleep(10 * time.Minute)
		c := newClient(t, b.Manager)
		res := c.with(func(*Session) { t.Error("served without the sessions") })
		if res.StatusCode != http.StatusServiceUnavailable || b.ready() != http.StatusServiceUnavailable || b.Ready() {
			t.Errorf("request %d, ready says %d", res.StatusCode, b.ready())
		}
		if n := b.ClusterStats().Incomplete; n != 1 {
			t.Errorf("one start counts %d times", n)
		}
		select {
		case err := <-started:
			t.Errorf("Start has returned: %v", err)
		default:
		}
	})
}

// Start ends with its context, the manager does not: it goes on to look.
func TestStartEndsWithContext(t *testing.T) {
	stalled(t, func(*Config) {}, func(a, b *server, ids []string, started <-chan error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := b.Start(ctx); !errors.Is(err, ErrNotReady) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start = %v", err)
		}
	})
}

// With ServeIncomplete a node serves after StateTimeout with what it has, and gets the
// rest when the others answer again.
func TestServeIncomplete(t *testing.T) {
	log := new(testlog.Log)
	cfg := func(c *Config) {
		c.Cluster.ServeIncomplete = true
		c.Cluster.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	stalled(t, cfg, func(a, b *server, ids []string, started <-chan error) {
		begin := time.Now()
		must(t, <-started)
		if took := time.Since(begin); took < 15*time.Second || took > 25*time.Second {
			t.Errorf("ready after %v", took)
		}
		if b.ready() != http.StatusOK || b.ClusterStats().Incomplete != 1 {
			t.Errorf("ready says %d, %+v", b.ready(), b.ClusterStats())
		}
		if !strings.Contains(log.String(), "no member has given the sessions of the group") || !strings.Contains(log.String(), "serves=true") {
			t.Errorf("log %s", log)
		}
		if n := b.Stats().Sessions; n == 0 || n == len(ids) {
			t.Fatalf("%d sessions of %d", n, len(ids))
		}
		c := newClient(t, b.Manager)
		res := c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		if res.StatusCode != http.StatusOK {
			t.Errorf("status %d", res.StatusCode)
		}
		if _, found := a.Lookup(c.id()); found {
			t.Error("the other node has heard of it: it is no test of a silent one")
		}
	})
}
