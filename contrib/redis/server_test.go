//go:build databases

package redis

import (
	"os"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/internal/proctest/servers"
)

// server is a Redis of the test, or a Valkey.
type server struct {
	*servers.Server
	t testing.TB
}

// engine is what the tests are for: Redis, or Valkey if TRIBES_REDIS says so.
func engine() *servers.Engine {
	if os.Getenv("TRIBES_REDIS") == servers.Valkey.Name {
		return servers.Valkey
	}
	return servers.Redis
}

// startServer starts one with more arguments.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	return &server{servers.Start(t, engine(), args...), t}
}

// client returns a client for the server, which the test closes.
func (s *server) client() *goredis.Client {
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr, DialerRetries: 1})
	s.t.Cleanup(func() { closed(s.t, c) })
	return c
}

// open returns a store over a client of its own.
func (s *server) open(c Config) *Store { return open(s.t, s.client(), c) }

func open(t testing.TB, client goredis.UniversalClient, c Config) *Store {
	t.Helper()
	s, err := New(client, c)
	must(t, err)
	t.Cleanup(func() { closed(t, s) })
	return s
}

func closed(t testing.TB, c interface{ Close() error }) {
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

var must, some, version = storetest.Must, storetest.Some, storetest.Version
