//go:build databases

package memcached

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session/store"
)

// engine is a memcached of the test, on a port of its own.
type engine struct {
	*proctest.Process
	t    testing.TB
	addr string
	args []string
}

// startServer starts one with more arguments. As root it becomes nobody.
func startServer(t testing.TB, args ...string) *engine {
	t.Helper()
	port := proctest.Ports(t, 1)[0]
	s := &engine{t: t, addr: "127.0.0.1:" + port, args: append([]string{"memcached", "-l", "127.0.0.1", "-p", port,
		"-U", "0", "-u", "nobody", "-t", "2"}, args...)}
	s.start()
	return s
}

// start starts it, again if it was killed, and waits until it answers.
func (s *engine) start() {
	s.t.Helper()
	s.Process = proctest.Start(s.t, nil, s.args...)
	answers(s.t, s.Process, s.addr)
}

func answers(t testing.TB, p *proctest.Process, addr string) {
	t.Helper()
	proctest.Until(t, addr+" answers", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer c.Close()
		_, _, err = newConn(c, 100).get("nothing")
		return err == errMissing
	}, p)
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
	for name, err := range map[string]error{
		"Load": load, "Save": s.Save(ctx, some("s", 2), 1), "first Save": s.Save(ctx, some("t", 1), 0),
		"Touch": s.Touch(ctx, "s", time.Now()), "Delete": s.Delete(ctx, "t"),
	} {
		if err == nil || want != nil && !errors.Is(err, want) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s = %v, want %v", name, err, want)
		}
	}
}
