package serve

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics/metricstest"
)

// TestClientWithoutStoreNodes says what it waits for, and goes on when there is one.
func TestClientWithoutStoreNodes(t *testing.T) {
	t.Parallel()
	port := anyPort()
	p := startProgram(t, fmt.Sprintf("-manager client -name a -listen 127.0.0.1:0 -bind 127.0.0.1 -port 0 -linger 0 -mcast-addr 239.255.17.93 -mcast-port %d", port))
	v := newVisitor(t, p.serving("a serves"))
	p.Err.Line("there is no store node in this group yet")
	if status, _ := v.Do("GET /ready", ""); status != 503 {
		t.Errorf("ready without a store node: %d", status)
	}
	startStore(t, "s", port)
	p.Err.Line("msg=ready")
	v.Want("PUT /attr?name=k&size=20&tag=7", `"new":true`)
}

// TestMetrics: whatever keeps the sessions, an operator sees what is saved, by whom, and what
// went wrong.
func TestMetrics(t *testing.T) {
	port := anyPort()
	const created, saved, noErrors = "tribes_sessions_created_total 1\n", "tribes_store_saves_total 1\n", "tribes_store_call_errors_total 0\n"
	for i, tt := range []struct {
		args string
		want []string
	}{
		{"-manager local", []string{created, "tribes_ready 1\n"}},
		{"-manager delta", []string{created, "tribes_cluster_peers 0\n", "tribes_cluster_degraded_total 1\n", "tribes_members 0\n"}},
		{"-manager full -store file:" + t.TempDir(), []string{created, saved, noErrors, "tribes_cluster_current 0\n"}},
		{"-manager backup", []string{created, saved, noErrors, "tribes_backup_held 1\n", "tribes_backup_alone_total 1\n"}},
		{"-manager persistent -store file:" + t.TempDir(), []string{created, saved, noErrors, "tribes_store_conflicts_total 0\n", "tribes_store_down 0\n"}},
		{"-manager client", []string{created, saved, noErrors, "tribes_client_nodes 1\n", "tribes_client_failed_total 0\n"}},
	} {
		t.Run(strings.Fields(tt.args)[1], func(t *testing.T) {
			t.Parallel()
			port := port + i
			var store visitor
			if strings.Contains(tt.args, "client") {
				p := startCommand(t, fmt.Sprintf("store -name s -http 127.0.0.1:0 -bind 127.0.0.1 -port 0 -mcast-addr 239.255.17.93 -mcast-port %d", port))
				store = newVisitor(t, p.serving("s status"))
				p.Out.Line("s holds sessions")
			}
			n := startNode(t, "a", port, tt.args)
			n.Want("PUT /attr?name=k&size=20&tag=7", `"new":true`)
			_, text := n.Do("GET /metrics", "")
			metricstest.Check(t, text, tt.want...)
			if store.Client != nil {
				_, text := store.Do("GET /metrics", "")
				metricstest.Check(t, text, "tribes_storenode_saves_total 1\n", "tribes_storenode_held 1\n", "tribes_storenode_alone_total 1\n", "tribes_storenode_conflicts_total 0\n")
			}
		})
	}
}
