package nio

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gotribes/tribes/message"
)

// checkSocket compares what the system says of c with o.
func checkSocket(t *testing.T, c *net.TCPConn, o *SocketOptions) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	six := c.LocalAddr().(*net.TCPAddr).IP.To4() == nil
	if err := raw.Control(func(fd uintptr) { checkDescriptor(t, int(fd), six, o) }); err != nil {
		t.Fatal(err)
	}
}

// checkDescriptor compares what the system says of fd, a connection by IPv6 if
// six is true, with o, whose values are all set.
func checkDescriptor(t *testing.T, fd int, six bool, o *SocketOptions) {
	t.Helper()
	class := [2]int{unix.IPPROTO_IP, unix.IP_TOS}
	if six {
		class = [2]int{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}
	}
	idle := int(o.KeepAlive / time.Second)
	tests := []struct {
		name        string
		level, opt  int
		least, most int
	}{
		{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReadBuffer, 2 * o.ReadBuffer},
		{"SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF, o.WriteBuffer, 2 * o.WriteBuffer},
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 0, 0},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle, idle},
		{"traffic class", class[0], class[1], o.TrafficClass, o.TrafficClass},
	}
	for _, tt := range tests {
		got, err := unix.GetsockoptInt(fd, tt.level, tt.opt)
		if err != nil || got < tt.least || got > tt.most {
			t.Errorf("%s = %d (%v), want %d to %d", tt.name, got, err, tt.least, tt.most)
		}
	}
}

// The options of the configuration reach accepted connections, with each poller,
// and those of the sender.
func TestConfiguredSocketOptions(t *testing.T) {
	o := SocketOptions{ReadBuffer: 32 << 10, WriteBuffer: 16 << 10, Delay: true, KeepAlive: time.Minute, TrafficClass: 28}
	eachPoller(t, func(t *testing.T, p Poller) {
		for _, address := range []string{"127.0.0.1", "::1"} {
			g := newRx(t, ReceiverConfig{Address: address, Poller: p, Socket: o}, nil)
			c, f := g.dial(), newFrames(t)
			c.put(f.frame(optSync, "x"))
			c.want(ackPlainOK)
			switch s := g.conn().sock.(type) {
			case *netSocket:
				checkSocket(t, s.conn.(*net.TCPConn), &o)
			case *epollSocket:
				checkDescriptor(t, s.fd, address == "::1", &o)
			}
		}
	})
	b := newTCPBench(t, SenderConfig{Socket: o})
	f := b.listen()
	b.send(0, "x", f).want(message.Written, nil)
	for _, p := range b.s.known() {
		p.mu.Lock()
		conn := p.links[0].conn
		p.mu.Unlock()
		checkSocket(t, conn.(*net.TCPConn), &o)
	}
}
