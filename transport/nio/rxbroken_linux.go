package nio

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// connBroken reports whether the other end has reset c, without reading from it.
func connBroken(c net.Conn) bool {
	s, ok := inner(c).(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	broken := false
	err = raw.Control(func(fd uintptr) { broken = fdBroken(int(fd)) })
	return err == nil && broken
}

// tcpClose is the state of a TCP connection that was reset. One that was ended
// in order has other states as long as it is open on this side.
const tcpClose = 7

func fdBroken(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == tcpClose
}
