//go:build databases

package memcached

import (
	"testing"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/internal/proctest/servers"
	"github.com/gotribes/tribes/session/store"
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

func must(t testing.TB, err error) {
	t.Helper()
	storetest.Must(t, err)
}

func some(id string, version uint64) *store.Session { return storetest.Some(id, version) }

func version(t testing.TB, s store.Store, id string) uint64 {
	t.Helper()
	return storetest.Version(t, s, id)
}
