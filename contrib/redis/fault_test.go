//go:build databases

package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session/store"
)

// A server that is killed in the middle of saves has all that it has acknowledged when it
// comes back, and no half of a session.
func TestKilledDuringSaves(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := server.open(Config{})
	storetest.Killed(t, s, func() { server.Kill() }, func() {
		server.Start()
		back(t, server, s)
	})
}

// back waits until the client knows that the server is back: it looks once a second.
func back(t testing.TB, server *server, s *Store) {
	t.Helper()
	proctest.Until(t, "the client is back", func() bool {
		_, err := s.Load(t.Context(), "none")
		return errors.Is(err, store.ErrNotFound)
	}, server.Process)
}

// While the server is down each call is an error, and none says that there is no session.
func TestServerIsDown(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := server.open(Config{})
	must(t, s.Save(t.Context(), some("s", 1), 0))
	server.Kill()
	storetest.Broken(t.Context(), t, s, nil)
	server.Start()
	back(t, server, s)
	must(t, s.Save(t.Context(), some("s", 2), version(t, s, "s")))
}

// A server that does not answer holds up no call for longer than its ctx, or Timeout.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s, quick := server.open(Config{}), server.open(Config{Timeout: 100 * time.Millisecond})
	must(t, s.Save(t.Context(), some("s", 1), 0))
	must(t, quick.Touch(t.Context(), "s", time.Now())) // connected
	server.Stop()
	storetest.Hangs(t, s, quick)
	server.Signal(syscall.SIGCONT)
	if v := version(t, s, "s"); v != 1 && v != 2 { // what was given up may have taken place
		t.Errorf("version %d", v)
	}
}

// A server that is full refuses what is new and keeps what it has.
func TestServerIsFull(t *testing.T) {
	t.Parallel()
	server := startServer(t, "--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
	s := server.open(Config{})
	var last int
	big := func(i int, version uint64) *store.Session {
		x := some(fmt.Sprintf("s%d", i), version)
		x.Data = bytes.Repeat([]byte{byte(i), byte(version)}, 50_000)
		return x
	}
	var err error
	for ; last < 1000; last++ {
		if err = s.Save(t.Context(), big(last, 1), 0); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "OOM") || errors.Is(err, store.ErrConflict) {
		t.Fatalf("after %d sessions: %v", last, err)
	}
	if _, err := s.Load(t.Context(), fmt.Sprintf("s%d", last)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session that did not fit: %v", err)
	}
	if err := s.Save(t.Context(), big(0, 2), 1); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("replaced in a full server: %v", err)
	}
	for i := range last {
		got, err := s.Load(t.Context(), fmt.Sprintf("s%d", i))
		must(t, err)
		if want := big(i, 1); got.Version != 1 || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("session %d is another", i)
		}
	}
	for i := range last / 2 {
		must(t, s.Delete(t.Context(), fmt.Sprintf("s%d", i)))
	}
	must(t, s.Save(t.Context(), big(last, 1), 0))
}

// lossy is a connection that loses the answers to scripts while lose is above 0.
type lossy struct {
	net.Conn
	lose   *atomic.Int64
	script bool
}

func (c *lossy) Write(b []byte) (int, error) {
	c.script = bytes.Contains(bytes.ToLower(b), []byte("\neval"))
	return c.Conn.Write(b)
}

func (c *lossy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.script && c.lose.Add(-1) >= 0 {
		return 0, errors.Join(io.EOF, c.Close())
	}
	return n, err
}

// The client repeats what has had no answer: a save is not taken for a conflict with itself.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	for _, replicas := range []int{0, 1} {
		var lose atomic.Int64
		client := goredis.NewClient(&goredis.Options{Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, server.Addr)
			return &lossy{Conn: c, lose: &lose}, err
		}})
		t.Cleanup(func() { closed(t, client) })
		s := open(t, client, Config{Prefix: fmt.Sprintf("r%d:", replicas), Timeout: time.Second})
		must(t, s.Save(t.Context(), some("s", 1), 0)) // the server knows the script
		s.config.Replicas = replicas
		lose.Store(2)
		err := s.Save(t.Context(), some("s", 2), 1)
		if replicas == 0 && err != nil || replicas == 1 && !storetest.Outage(err) { // none has it, or that is not known in time
			t.Errorf("%d replicas: %v", replicas, err)
		}
		if n := lose.Load(); n > 0 {
			t.Errorf("%d answers were not lost", n)
		}
		if v := version(t, s, "s"); v != 2 {
			t.Errorf("version %d", v)
		}
		s.config.Replicas = 0 // with which it would be one only when replicas have what is stored
		if err := s.Save(t.Context(), some("s", 3), 1); !errors.Is(err, store.ErrConflict) {
			t.Errorf("another save: %v", err)
		}
		lose.Store(0)
	}
}
