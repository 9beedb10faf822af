//go:build databases

package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// startCluster starts three masters, each with a third of the keys, and returns a client.
func startCluster(t *testing.T) *goredis.ClusterClient {
	t.Helper()
	var nodes []*server
	var buses []string
	for i := range 3 {
		bus := proctest.Ports(t, 1)[0]
		n := startServer(t, "--appendfsync", "no", "--cluster-enabled", "yes", "--cluster-port", bus)
		nodes, buses = append(nodes, n), append(buses, bus)
		must(t, n.client().ClusterAddSlotsRange(t.Context(), i*16384/3, (i+1)*16384/3-1).Err())
		if i > 0 {
			must(t, n.client().Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", nodes[0].Port, buses[0]).Err())
		}
	}
	for _, n := range nodes {
		c := n.client()
		proctest.Until(t, "the cluster is whole", func() bool {
			info := c.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		}, n.Process)
	}
	cluster := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{nodes[0].Addr}})
	t.Cleanup(func() { closed(t, cluster) })
	return cluster
}

// Redis Cluster is a store like one server is, and IDs finds the sessions of all masters.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster, n := startCluster(t), 0
	sessiontest.TestStore(t, sessiontest.Options{MaxData: mostData, Forgets: true,
		New: func(t testing.TB) func() store.Store {
			n++
			c := Config{Prefix: fmt.Sprintf("app%d:", n), MaxData: mostData}
			return func() store.Store { return open(t, cluster, c) }
		}})
	s := open(t, cluster, Config{Replicas: 1, Timeout: 300 * time.Millisecond})
	for i := range 5 { // at whichever master: it says that it has no replica
		lacksReplicas(t, s, fmt.Sprintf("s%d", i))
	}
}

// lacksReplicas saves a session until the error says that replicas are missing, which is soon:
// only where the server's answer comes too late is it another.
func lacksReplicas(t *testing.T, s *Store, id string) {
	t.Helper()
	proctest.Until(t, "replicas are missing", func() bool {
		var base uint64
		if x, err := s.Load(t.Context(), id); err == nil {
			base = x.Version
		}
		err := s.Save(t.Context(), some(id, base+1), base)
		if err == nil {
			t.Fatal("a save was acknowledged without a replica")
		}
		return errors.Is(err, ErrReplicas)
	})
}

// startReplica starts a replica and waits until it has what the master has.
func startReplica(t *testing.T, master *server) *server {
	t.Helper()
	replica := startServer(t, "--replicaof", "127.0.0.1 "+master.Port, "--appendonly", "no")
	c := replica.client()
	proctest.Until(t, "the replica is in sync", func() bool {
		return strings.Contains(c.Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, replica.Process)
	return replica
}

// With Replicas a save that has returned nil is on a replica; one that is not says so.
func TestReplicas(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	replica := startReplica(t, master)
	s := master.open(Config{Replicas: 1})
	quick := master.open(Config{Replicas: 1, Timeout: 500 * time.Millisecond})
	copies := replica.open(Config{})
	for v := range uint64(100) {
		must(t, s.Save(t.Context(), some("s", v+1), v))
		if got := version(t, copies, "s"); got != v+1 {
			t.Fatalf("the replica has version %d, %d was acknowledged", got, v+1)
		}
	}
	if err := s.Save(t.Context(), some("s", 50), 49); !errors.Is(err, store.ErrConflict) {
		t.Errorf("conflict: %v", err)
	}
	replica.Stop()
	lacksReplicas(t, quick, "s")
	if v := version(t, s, "s"); v < 101 {
		t.Errorf("version %d on the master", v)
	}
}
