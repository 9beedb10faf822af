package serve

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
)

// TestNodesEndWithTheirCluster, also if it has no chance to say so: only Linux ends the
// children of a process that is killed.
func TestNodesEndWithTheirCluster(t *testing.T) {
	p, _, nodes := startCluster(t, "")
	var conns []net.Conn
	for _, addr := range nodes {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(proctest.Watchdog)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "HEAD /whoami HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	p.Kill()
	for i, conn := range conns { // idle ones: only the end of the process closes them so soon
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("node%d is still there: %v", i+1, err)
		}
	}
}
