//go:build databases

package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/session/store"
)

// confirmed saves a session with time enough on a machine that is busy.
func confirmed(t *testing.T, s *Store, id string, version uint64) {
	t.Helper()
	was := s.config.Timeout
	s.config.Timeout = proctest.Watchdog
	must(t, s.Save(t.Context(), some(id, version), version-1))
	s.config.Timeout = was
}

// unconfirmed saves version 2 of a session "s" until the error says that replicas are missing,
// which is at once unless the answer comes too late. It is no success and no conflict.
func unconfirmed(t *testing.T, s *Store) {
	t.Helper()
	proctest.Until(t, "replicas are missing", func() bool {
		err := s.Save(t.Context(), some("s", 2), 1)
		if !storetest.Outage(err) {
			t.Fatalf("saved without a replica: %v", err)
		}
		return errors.Is(err, ErrReplicas)
	})
}

// A save that replicas have not acknowledged stays so: whoever saves on the same base, as the
// one who made it or another, is told ErrReplicas until they have it, and ErrConflict then.
func TestUnconfirmedSaveIsNoConflict(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	replica := startReplica(t, master)
	c := Config{Replicas: 1, Timeout: 500 * time.Millisecond}
	s, other := master.open(c), master.open(c)
	confirmed(t, s, "s", 1)
	confirmed(t, other, "t", 1) // what it has written itself
	replica.Stop()
	for range 3 {
		unconfirmed(t, s)
		unconfirmed(t, other)
	}
	replica.Signal(syscall.SIGCONT)
	proctest.Until(t, "the replica has it", func() bool {
		err := s.Save(t.Context(), some("s", 2), 1)
		if err == nil {
			t.Fatal("saved twice")
		}
		return errors.Is(err, store.ErrConflict)
	}, replica.Process)
	if v := version(t, replica.open(Config{}), "s"); v != 2 {
		t.Errorf("the replica has version %d, 2 was acknowledged", v)
	}
	confirmed(t, s, "s", 3)
}

// What is no conflict with an unconfirmed save is one at once: the session is not there.
func TestConflictWithoutSession(t *testing.T) {
	t.Parallel()
	s := startServer(t).open(Config{Replicas: 1, Timeout: time.Second})
	if err := s.Save(t.Context(), some("s", 2), 1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("on what is not there: %v", err)
	}
}

// A save whose answer is lost, and that the client repeats on another connection, is confirmed
// by replicas that have it, not by those that have all that this connection has written.
func TestLostAnswerIsNotConfirmed(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	replica := startReplica(t, master)
	var lose atomic.Int64
	client := goredis.NewClient(&goredis.Options{Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, master.Addr)
		return &lossy{Conn: c, lose: &lose}, err
	}})
	t.Cleanup(func() { closed(t, client) })
	s := open(t, client, Config{Replicas: 1})
	confirmed(t, s, "s", 1)
	replica.Stop()
	lose.Store(1)
	if err := s.Save(t.Context(), some("s", 2), 1); !storetest.Outage(err) {
		t.Errorf("repeated without a replica: %v", err)
	}
	if n := lose.Load(); n > 0 {
		t.Errorf("%d answers were not lost", n)
	}
}

// As long as the last save of a session is not confirmed, each request of it is answered with
// an error, also one that changes nothing.
func TestManagerWithoutReplica(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	replica := startReplica(t, master)
	m, err := session.New(session.Config{Persist: &session.Persist{
		Store:       master.open(Config{Replicas: 1, Timeout: time.Second}),
		EachRequest: true, OnError: session.Fail,
	}})
	must(t, err)
	web := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := session.From(r)
		if v := r.URL.Query().Get("set"); v != "" {
			if err := session.Set(at, "v", v); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		v, _, err := session.Get[string](at, "v")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, v)
	})))
	t.Cleanup(func() {
		web.Close()
		must(t, m.Close())
	})
	must(t, m.Start(t.Context()))
	c := proctest.NewClient(t, strings.TrimPrefix(web.URL, "http://"))
	eventually := func(request, want string) {
		t.Helper()
		proctest.Until(t, request+" says "+want, func() bool {
			status, body := c.Do(request, "")
			return status == http.StatusOK && body == want
		})
	}
	eventually("GET /?set=one", "one")
	replica.Stop()
	for _, path := range []string{"/?set=two", "/", "/"} {
		if status, body := c.Do("GET "+path, ""); status != http.StatusServiceUnavailable {
			t.Errorf("%s without the replica: %d, %s", path, status, body)
		}
	}
	replica.Signal(syscall.SIGCONT)
	eventually("GET /", "two")
	found, copies := false, replica.open(Config{})
	for id, err := range copies.IDs(t.Context()) {
		must(t, err)
		got, err := copies.Load(t.Context(), id)
		must(t, err)
		found = found || bytes.Contains(got.Data, []byte("two"))
	}
	if !found {
		t.Error("the replica does not have what was acknowledged")
	}
}
