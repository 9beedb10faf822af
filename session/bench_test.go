package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership/mcast"
)

// BenchmarkWrite measures requests that write 1 of 100 attributes of 1 KB, of 64 clients at
// one of two nodes on loopback, without the HTTP server: what a response waits for, beside
// a manager of one process.
func BenchmarkWrite(b *testing.B) {
	b.Run("unreplicated", func(b *testing.B) { benchmarkWrite(b, newBenchManager(b, nil)) })
	for name, wait := range map[string]Wait{"all": WaitAll, "none": WaitNone} {
		b.Run(name, func(b *testing.B) {
			one := newBenchManager(b, &Cluster{Wait: wait})
			newBenchManager(b, &Cluster{Wait: wait})
			must(b, one.config.Cluster.Group.WaitMembers(context.Background(), 1))
			benchmarkWrite(b, one)
		})
	}
	b.Run("backup", func(b *testing.B) {
		one := startBenchManager(b, Config{Backup: &Backup{Group: newBenchGroup(b), Name: "/app"}})
		startBenchManager(b, Config{Backup: &Backup{Group: newBenchGroup(b), Name: "/app"}})
		must(b, one.config.Backup.Group.WaitMembers(context.Background(), 1))
		benchmarkWrite(b, one)
	})
}

func newBenchManager(b *testing.B, c *Cluster) *Manager {
	b.Helper()
	if c != nil {
		c.Group, c.Name = newBenchGroup(b), "/app"
	}
	return startBenchManager(b, Config{Cluster: c})
}

func newBenchGroup(b *testing.B) *group.Group {
	b.Helper()
	g, err := group.New(group.WithBind("127.0.0.1"), group.WithMulticast(mcast.Config{Port: 45999}))
	must(b, err)
	must(b, g.Start(context.Background()))
	b.Cleanup(func() { must(b, g.Stop(context.Background())) })
	return g
}

func startBenchManager(b *testing.B, c Config) *Manager {
	b.Helper()
	m, err := New(c)
	must(b, err)
	must(b, m.Start(context.Background()))
	b.Cleanup(func() { must(b, m.Close()) })
	return m
}

func benchmarkWrite(b *testing.B, m *Manager) {
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprint("attribute", i)
	}
	value := func() []byte {
		v := make([]byte, 1000)
		for i := range v {
			v[i] = byte(rand.Uint32())
		}
		return v
	}
	first := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for _, n := range names {
			must(b, Set(From(r), n, value()))
		}
	}))
	again := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(b, Set(From(r), names[rand.IntN(len(names))], value()))
	}))
	const clients = 64
	requests := make(chan *http.Request, clients)
	for range clients {
		r, err := http.NewRequest("GET", "/", nil)
		must(b, err)
		w := &nothing{header: make(http.Header)}
		first.ServeHTTP(w, r)
		cookie, err := http.ParseSetCookie(w.header.Get("Set-Cookie"))
		must(b, err)
		r.AddCookie(cookie)
		requests <- r
	}
	b.SetParallelism(clients / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r, w := <-requests, &nothing{header: make(http.Header)}
		defer func() { requests <- r }()
		for pb.Next() {
			clear(w.header)
			again.ServeHTTP(w, r)
		}
	})
}

// nothing is the response to nobody.
type nothing struct{ header http.Header }

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n *nothing) WriteHeader(int)             {}
