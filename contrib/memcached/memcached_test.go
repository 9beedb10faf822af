//go:build databases

package memcached

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	one, two := startServer(t, "-m", "256"), startServer(t, "-m", "256")
	n := 0
	sessiontest.TestStore(t, sessiontest.Options{MaxData: 1<<20 - 1<<10, Forgets: true,
		New: func(t testing.TB) func() store.Store {
			n++
			servers := []string{one.Addr, two.Addr}
			return func() store.Store {
				servers = slices.Clone(servers)
				slices.Reverse(servers) // nodes need not agree on the order
				return open(t, Config{Servers: servers, Prefix: fmt.Sprintf("app%d:", n)})
			}
		}})
}

// The engine removes what has expired, and not what a touch has kept alive.
func TestMemcachedRemovesWhatHasExpired(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, Config{Servers: []string{server.Addr}})
	for _, id := range []string{"gone", "touched", "ever", "saved"} {
		x := some(id, 1)
		if x.Timeout = 10 * time.Millisecond; id == "ever" {
			x.Timeout = 0
		}
		must(t, s.Save(t.Context(), x, 0))
	}
	must(t, s.Touch(t.Context(), "touched", time.Now().Add(time.Minute)))
	must(t, s.Save(t.Context(), some("saved", 2), 1))
	proctest.Until(t, "it has expired", func() bool {
		_, err := s.Load(t.Context(), "gone")
		return errors.Is(err, store.ErrNotFound)
	}, server.Process)
	if err := s.Save(t.Context(), some("gone", 2), 1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("save of what has expired: %v", err)
	}
	for _, id := range []string{"touched", "ever", "saved"} {
		version(t, s, id)
	}
}

// A server that is killed in the middle of saves takes its sessions with it, and those of no
// other server; what it kept was whole at any time.
func TestKilledDuringSaves(t *testing.T) {
	t.Parallel()
	one, two := startServer(t), startServer(t)
	s := open(t, Config{Servers: []string{one.Addr, two.Addr}})
	const many = 20
	for i := range many {
		must(t, s.Save(t.Context(), some(fmt.Sprintf("s%d", i), 1), 0))
	}
	var wg sync.WaitGroup
	var saves, failed atomic.Int64
	var last [many]atomic.Uint64
	for i := range many {
		id := fmt.Sprintf("s%d", i)
		last[i].Store(1)
		wg.Go(func() {
			for v := uint64(1); failed.Load() == 0 || v < 100; v++ {
				if err := s.Save(t.Context(), some(id, v+1), v); err != nil {
					failed.Add(1)
					return
				}
				last[i].Store(v + 1)
				saves.Add(1)
			}
		})
	}
	proctest.Until(t, "there were saves", func() bool { return saves.Load() > 20*many }, one.Process)
	one.Kill()
	wg.Wait()
	one.Start()
	left := 0
	for i := range many {
		id := fmt.Sprintf("s%d", i)
		if rank(s.servers, id)[0].addr == one.Addr {
			if _, err := s.Load(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s of the server that was killed: %v", id, err)
			}
			if err := s.Save(t.Context(), some(id, last[i].Load()+1), last[i].Load()); !errors.Is(err, store.ErrConflict) {
				t.Errorf("%s is saved on nothing: %v", id, err)
			}
			continue
		}
		left++
		if v := version(t, s, id); v != last[i].Load() {
			t.Errorf("%s has version %d, %d was acknowledged", id, v, last[i].Load())
		}
	}
	if left == 0 || left == many {
		t.Errorf("%d of %d sessions on one server", left, many)
	}
}

// While the server is down each call is an error, and none says that there is no session.
func TestServerIsDown(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, Config{Servers: []string{server.Addr}})
	must(t, s.Save(t.Context(), some("s", 1), 0))
	server.Kill()
	storetest.Broken(t.Context(), t, s, nil)
	server.Start()
	must(t, s.Save(t.Context(), some("s", 1), 0))
	// All connections are of the server before: no call notices.
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if err := s.Save(t.Context(), some(fmt.Sprintf("s%d", i), 1), 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	server.Kill()
	server.Start()
	must(t, s.Save(t.Context(), some("s1", 1), 0))
	must(t, s.Delete(t.Context(), "s1"))
}

// A server that does not answer holds up no call for longer than its ctx, or Timeout, nor
// does a call that waits for a connection.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	c := Config{Servers: []string{server.Addr}}
	s := open(t, c)
	c.Timeout, c.Conns = 100*time.Millisecond, 1
	quick := open(t, c)
	must(t, s.Save(t.Context(), some("s", 1), 0))
	must(t, quick.Touch(t.Context(), "s", time.Now())) // connected
	server.Stop()
	storetest.Hangs(t, s, quick)
	server.Signal(syscall.SIGCONT)
	if v := version(t, s, "s"); v != 1 && v != 2 { // what was given up may have taken place
		t.Errorf("version %d", v)
	}
}

// fill saves large sessions until it fails or there are many, and returns how many there are.
func fill(t *testing.T, s *Store) (n int, err error) {
	t.Helper()
	for ; n < 500; n++ {
		x := some(fmt.Sprintf("s%d", n), 1)
		x.Data = bytes.Repeat([]byte{byte(n)}, 500_000)
		if err := s.Save(t.Context(), x, 0); err != nil {
			return n, err
		}
	}
	return n, nil
}

// With -M a server that is full refuses what is new and keeps what it has.
func TestServerIsFull(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Servers: []string{startServer(t, "-m", "64", "-M").Addr}})
	n, err := fill(t, s)
	if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrTooLarge) {
		t.Fatalf("after %d sessions: %v", n, err)
	}
	x := some("s0", 2)
	x.Data = make([]byte, 900_000)
	if err := s.Save(t.Context(), x, 1); err == nil {
		t.Error("replaced in a full server")
	}
	for i := range n {
		got, err := s.Load(t.Context(), fmt.Sprintf("s%d", i))
		must(t, err)
		if got.Version != 1 || !bytes.Equal(got.Data, bytes.Repeat([]byte{byte(i)}, 500_000)) {
			t.Errorf("session %d is another", i)
		}
	}
	for i := range n {
		must(t, s.Delete(t.Context(), fmt.Sprintf("s%d", i)))
	}
	must(t, s.Save(t.Context(), some("s0", 1), 0))
}

// Without -M it throws sessions away, which then are not found.
func TestServerEvicts(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Servers: []string{startServer(t, "-m", "64").Addr}})
	n, err := fill(t, s)
	must(t, err)
	lost := 0
	for i := range n {
		if _, err := s.Load(t.Context(), fmt.Sprintf("s%d", i)); errors.Is(err, store.ErrNotFound) {
			lost++
		} else {
			must(t, err)
		}
	}
	if lost < n/2 || lost == n {
		t.Errorf("%d of %d sessions were thrown away", lost, n)
	}
}

// A server whose limit is below MaxData refuses what it cannot keep whole.
func TestServerWithSmallItems(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Servers: []string{startServer(t, "-I", "128k", "-o", "slab_chunk_max=64").Addr}})
	must(t, s.Save(t.Context(), some("s", 1), 0))
	x := some("s", 2)
	x.Data = make([]byte, 200_000)
	if err := s.Save(t.Context(), x, 1); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save = %v", err)
	}
	x.ID = "t"
	if err := s.Save(t.Context(), x, 0); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("first Save = %v", err)
	}
	if v := version(t, s, "s"); v != 1 {
		t.Errorf("version %d", v)
	}
}
