//go:build databases

package memcached

import (
	"testing"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/internal/proctest/servers"
)

// startServer starts a server with more arguments.
func startServer(t testing.TB, args ...string) *servers.Server {
	t.Helper()
	return servers.Start(t, servers.Memcached, args...)
}

func open(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := New(c)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

var must, some, version = storetest.Must, storetest.Some, storetest.Version
