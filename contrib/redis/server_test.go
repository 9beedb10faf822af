//go:build databases

package redis

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session/store"
)

// server is a Redis of the test, on a port and in a directory of its own.
type server struct {
	*proctest.Process
	t    testing.TB
	addr string
	args []string
}

// startServer starts one that loses nothing that it has acknowledged, with more arguments.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	port := proctest.Ports(t, 1)[0]
	s := &server{t: t, addr: "127.0.0.1:" + port, args: append([]string{"redis-server", "--bind", "127.0.0.1",
		"--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "yes", "--appendfsync", "always",
		"--repl-diskless-sync-delay", "0"}, args...)}
	s.start()
	return s
}

// start starts it, again if it was killed, and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	s.Process = proctest.Start(s.t, nil, s.args...)
	c := goredis.NewClient(&goredis.Options{Addr: s.addr, DialerRetries: 1})
	defer c.Close()
	proctest.Until(s.t, "redis answers", func() bool { return c.Ping(context.Background()).Err() == nil }, s.Process)
}

// client returns a client for the server, which the test closes.
func (s *server) client() *goredis.Client {
	c := goredis.NewClient(&goredis.Options{Addr: s.addr, DialerRetries: 1})
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// some is a session whose data says which version it is.
func some(id string, version uint64) *store.Session {
	return &store.Session{ID: id, Version: version, Data: fmt.Appendf(nil, "%s in version %d", id, version),
		Accessed: time.Now().Truncate(time.Millisecond), Timeout: time.Hour}
}

// version checks that a session is stored whole and returns its version.
func version(t testing.TB, s store.Store, id string) uint64 {
	t.Helper()
	got, err := s.Load(t.Context(), id)
	must(t, err)
	if want := some(id, got.Version); string(got.Data) != string(want.Data) {
		t.Errorf("version %d of %s has the data %q", got.Version, id, got.Data)
	}
	return got.Version
}

// broken checks that each method fails with an error that says that the store does not work
// at the moment: with want if it is not nil.
func broken(t testing.TB, ctx context.Context, s *Store, want error) {
	t.Helper()
	_, load := s.Load(ctx, "s")
	calls := map[string]error{
		"Load": load, "Save": s.Save(ctx, some("s", 2), 1), "first Save": s.Save(ctx, some("t", 1), 0),
		"Touch": s.Touch(ctx, "s", time.Now()), "Delete": s.Delete(ctx, "t"),
	}
	for _, err := range s.IDs(ctx) {
		calls["IDs"] = err
	}
	for name, err := range calls {
		if err == nil || want != nil && !errors.Is(err, want) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s = %v, want %v", name, err, want)
		}
	}
	if calls["IDs"] == nil {
		t.Error("IDs has no error")
	}
}
