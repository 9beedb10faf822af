//go:build databases

package redis

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/internal/proctest"
)

// startSentinel starts one that watches a master with one replica, and knows both.
func startSentinel(t *testing.T, master *server) (addr string) {
	t.Helper()
	port := proctest.Ports(t, 1)[0]
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	must(t, os.WriteFile(file, fmt.Appendf(nil, `bind 127.0.0.1
port %s
sentinel monitor sessions 127.0.0.1 %s 1
sentinel down-after-milliseconds sessions 500
sentinel failover-timeout sessions 3000
`, port, master.Port), 0o600))
	addr = "127.0.0.1:" + port
	p := proctest.Start(t, nil, strings.ToLower(engine().Name)+"-server", file, "--sentinel")
	c := goredis.NewSentinelClient(&goredis.Options{Addr: addr})
	defer func() { closed(t, c) }()
	proctest.Until(t, "Sentinel knows the replica", func() bool {
		all, err := c.Replicas(t.Context(), "sessions").Result()
		return err == nil && len(all) == 1 && all[0]["flags"] == "slave" && all[0]["master-link-status"] == "ok"
	}, p)
	return addr
}

// When the master is killed the store goes on with the replica, which has all that it has
// acknowledged.
func TestSentinel(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	replica := startReplica(t, master)
	client := goredis.NewFailoverClient(&goredis.FailoverOptions{MasterName: "sessions",
		SentinelAddrs: []string{startSentinel(t, master)}, DialerRetries: 1})
	t.Cleanup(func() { closed(t, client) })
	s := open(t, client, Config{Replicas: 1})
	const last = 20
	for v := range uint64(last) {
		must(t, s.Save(t.Context(), some("s", v+1), v))
	}
	master.Kill()
	s.config.Replicas = 0 // there is none any more
	proctest.Until(t, "the replica has become the master", func() bool {
		return s.Delete(context.Background(), "none") == nil
	}, replica.Process)
	if v := version(t, s, "s"); v != last {
		t.Errorf("version %d, %d was acknowledged", v, last)
	}
	must(t, s.Save(t.Context(), some("s", last+1), last))
}
