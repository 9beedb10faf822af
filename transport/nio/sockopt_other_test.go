//go:build !linux

package nio

import (
	"net"
	"testing"
)

// checkSocket cannot ask this system.
func checkSocket(*testing.T, *net.TCPConn, *SocketOptions) {}
