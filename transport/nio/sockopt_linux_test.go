package nio

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// checkSocket compares what the system says of c with o.
func checkSocket(t *testing.T, c *net.TCPConn, o *SocketOptions) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	class := [2]int{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}
	if c.LocalAddr().(*net.TCPAddr).IP.To4() != nil {
		class = [2]int{unix.IPPROTO_IP, unix.IP_TOS}
	}
	tests := []struct {
		name        string
		level, opt  int
		least, most int
	}{
		{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReadBuffer, 2 * o.ReadBuffer},
		{"SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF, o.WriteBuffer, 2 * o.WriteBuffer},
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 0, 0},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60, 60},
		{"traffic class", class[0], class[1], o.TrafficClass, o.TrafficClass},
	}
	for _, tt := range tests {
		var got int
		err := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), tt.level, tt.opt) })
		if err != nil || got < tt.least || got > tt.most {
			t.Errorf("%s = %d (%v), want %d to %d", tt.name, got, err, tt.least, tt.most)
		}
	}
}
