package mcast

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// bindGroup opens a socket that hears only what was sent to the group, on
// interfaces where it has joined it itself. Others may bind the same address if
// they also allow reuse, as Java does; all of them hear everything.
func bindGroup(_ context.Context, group netip.AddrPort) (*net.UDPConn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "multicast")
	defer func() { _ = f.Close() }() // the connection has a descriptor of its own
	if err := bindTo(fd, group); err != nil {
		return nil, err
	}
	conn, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil // what it returns for such a socket
}

func bindTo(fd int, group netip.AddrPort) error {
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err != nil {
		return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		return os.NewSyscallError("setsockopt IP_MULTICAST_ALL", err)
	}
	addr := &unix.SockaddrInet4{Port: int(group.Port()), Addr: group.Addr().As4()}
	return os.NewSyscallError("bind", unix.Bind(fd, addr))
}

// setSource chooses the source address of what is sent on ifi. Left alone, Linux
// takes one of another interface if it likes that better: on the loopback
// interface it does.
func setSource(conn *net.UDPConn, ifi *net.Interface, from netip.Addr) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	mreq := &unix.IPMreqn{Address: from.As4(), Ifindex: int32(ifi.Index)}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq)
	})
	return errors.Join(err, os.NewSyscallError("setsockopt IP_MULTICAST_IF", failed))
}
