//go:build databases

package memcached

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
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

// hazelcastConfig makes members that find each other by a list, not by multicast, and serve
// the protocol of memcached on the port of the member.
const hazelcastConfig = `hazelcast:
  cluster-name: tribes-%[3]s
  properties:
    hazelcast.phone.home.enabled: false
    hazelcast.socket.bind.any: false
    hazelcast.wait.seconds.before.join: 0
    hazelcast.partition.count: 31
    hazelcast.logging.type: none
  network:
    port: {port: %[1]s, auto-increment: false}
    interfaces: {enabled: true, interfaces: [127.0.0.1]}
    memcache-protocol: {enabled: true}
    join:
      auto-detection: {enabled: false}
      multicast: {enabled: false}
      tcp-ip: {enabled: true, member-list: [%[2]s]}
`

// startHazelcast starts two members that are one cluster.
func startHazelcast(t *testing.T) (members []*proctest.Process, addrs []string) {
	t.Helper()
	dir := os.Getenv("TRIBES_BUILD")
	if dir == "" {
		dir = "../../.build"
	}
	jars, err := filepath.Glob(filepath.Join(dir, "java/hazelcast/lib/hazelcast-*.jar"))
	must(t, err)
	if len(jars) != 1 {
		t.Fatalf("%d jars of Hazelcast in %s: run .ci/install-java", len(jars), dir)
	}
	ports := proctest.Ports(t, 2)
	for _, port := range ports {
		addrs = append(addrs, "127.0.0.1:"+port)
	}
	for i, port := range ports { // one after the other: they join faster
		config := fmt.Sprintf(hazelcastConfig, port, strings.Join(addrs, ", "), ports[0])
		file := filepath.Join(t.TempDir(), "hazelcast.yaml")
		must(t, os.WriteFile(file, []byte(config), 0o600))
		members = append(members, proctest.Start(t, nil, "java", "-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dhazelcast.config="+file, "-cp", jars[0], "com.hazelcast.core.server.HazelcastMemberStarter"))
		answers(t, members[i], addrs[i])
	}
	one, two := open(t, Config{Servers: addrs[:1], Hazelcast: true}), open(t, Config{Servers: addrs[1:], Hazelcast: true})
	proctest.Until(t, "they are one cluster", func() bool {
		if err := one.Save(t.Context(), some("s", 1), 0); err != nil && !errors.Is(err, store.ErrConflict) {
			return false
		}
		_, err := two.Load(t.Context(), "s")
		return err == nil
	}, members...)
	return members, addrs
}

// answers waits until a member answers.
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

// What Hazelcast has and lacks, and that its lack is made good. It is one test because
// members take long to start.
func TestHazelcast(t *testing.T) {
	t.Parallel()
	members, addrs := startHazelcast(t)
	c := Config{Servers: addrs, Hazelcast: true, MaxData: 2 << 20}
	t.Run("no compare-and-swap", func(t *testing.T) { hazelcastHasNoCAS(t, addrs) })
	t.Run("conformance", func(t *testing.T) {
		n := 0
		sessiontest.TestStore(t, sessiontest.Options{MaxData: c.MaxData, Forgets: true,
			New: func(t testing.TB) func() store.Store {
				n++
				c := c
				c.Prefix, c.Timeout = fmt.Sprintf("app%d:", n), 20*time.Second
				other := addrs
				return func() store.Store { // each handle has another member
					other = []string{other[len(other)-1], other[0]}
					c.Servers = other[:1]
					return open(t, c)
				}
			}})
	})
	t.Run("expiry", func(t *testing.T) {
		c := c
		c.Prefix = "expiry:"
		hazelcastForgets(t, c)
	})
	t.Run("lock of a dead node", func(t *testing.T) { hazelcastLock(t, c) })
	t.Run("a member hangs", func(t *testing.T) { hazelcastHangs(t, c, members) })
	t.Run("a member is killed", func(t *testing.T) { hazelcastIsKilled(t, c, members[0]) })
}

// If this fails Hazelcast has learnt something, and Config.Hazelcast may become unnecessary.
func hazelcastHasNoCAS(t *testing.T, addrs []string) {
	s := open(t, Config{Servers: addrs[:1], Prefix: "nocas:"})
	must(t, s.Save(t.Context(), some("s", 1), 0))
	if err := s.Save(t.Context(), some("s", 2), 1); !errors.Is(err, errNoCAS) {
		t.Errorf("Save = %v", err)
	}
	err := s.do(t.Context(), "test", "s", func(_ context.Context, c *conn, key string) error {
		return c.put("cas", key, 0, []byte("x"), "1")
	})
	if !isRefusal(err) {
		t.Errorf("cas: %v", err)
	}
	if v := version(t, s, "s"); v != 1 {
		t.Errorf("version %d", v)
	}
}

func hazelcastForgets(t *testing.T, c Config) {
	s := open(t, c)
	for _, id := range []string{"gone", "touched", "ever"} {
		x := some(id, 1)
		if x.Timeout = 10 * time.Millisecond; id == "ever" {
			x.Timeout = 0
		}
		must(t, s.Save(t.Context(), x, 0))
		version(t, s, id)
	}
	must(t, s.Touch(t.Context(), "touched", time.Now().Add(time.Minute)))
	proctest.Until(t, "it has expired", func() bool {
		_, err := s.Load(t.Context(), "gone")
		return errors.Is(err, store.ErrNotFound)
	})
	version(t, s, "touched")
	version(t, s, "ever")
}

// The lock that a dead node has left expires.
func hazelcastLock(t *testing.T, c Config) {
	c.Prefix, c.Timeout = "lock:", 100*time.Millisecond
	s := open(t, c)
	must(t, s.Save(t.Context(), some("s", 1), 0))
	must(t, s.do(t.Context(), "test", "s", func(_ context.Context, c *conn, key string) error {
		return c.put("add", key+":lock", 3, []byte("1"), "")
	}))
	if err := s.Save(t.Context(), some("s", 2), 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Save beside the lock of a dead node: %v", err)
	}
	if v := version(t, s, "s"); v != 1 {
		t.Errorf("version %d", v)
	}
	c.Timeout = proctest.Watchdog
	must(t, open(t, c).Save(t.Context(), some("s", 2), 1))
}

func hazelcastHangs(t *testing.T, c Config, members []*proctest.Process) {
	c.Prefix, c.Timeout = "hangs:", 200*time.Millisecond
	s := open(t, c)
	for _, m := range members {
		m.Stop()
	}
	begin := time.Now()
	storetest.Broken(t.Context(), t, s, context.DeadlineExceeded)
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
	for _, m := range members {
		m.Signal(syscall.SIGCONT)
	}
}

// With one copy of each session nothing that was acknowledged is lost when a member is
// killed, and the other one serves all.
func hazelcastIsKilled(t *testing.T, c Config, member *proctest.Process) {
	c.Prefix = "killed:"
	s := open(t, c)
	const many = 8
	var last [many]atomic.Uint64
	var killed atomic.Bool
	var wg sync.WaitGroup
	for i := range many {
		id := fmt.Sprintf("s%d", i)
		wg.Go(func() {
			for v := uint64(0); v < 10 || !killed.Load(); v++ {
				if err := s.Save(t.Context(), some(id, v+1), v); err != nil {
					return // the member has died
				}
				last[i].Store(v + 1)
			}
		})
	}
	proctest.Until(t, "there were saves", func() bool {
		for i := range last {
			if last[i].Load() < 5 {
				return false
			}
		}
		return true
	}, member)
	member.Kill()
	killed.Store(true)
	wg.Wait()
	big := some("big", 1)
	big.Data = bytes.Repeat([]byte("x"), c.MaxData)
	proctest.Until(t, "the other member serves", func() bool { return s.Save(t.Context(), big, 0) == nil })
	for i := range many {
		got, want := version(t, s, fmt.Sprintf("s%d", i)), last[i].Load()
		if got != want && got != want+1 { // the answer to the last one may have been lost
			t.Errorf("s%d has version %d, %d was acknowledged", i, got, want)
		}
	}
}
