package nio

import (
	"net"

	"golang.org/x/sys/unix"
)

// readNow returns a function that reads what c has at this moment, without
// waiting; it returns 0 if there is nothing, or anything but bytes. It is nil if c
// is not a TCP connection itself: what wraps one has its own way to read.
func readNow(c net.Conn) func(b []byte) int {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	var into []byte
	n := 0
	read := func(fd uintptr) bool {
		if n, err = unix.Read(int(fd), into); err != nil {
			n = 0 // none yet, or an error that the next Read will return
		}
		return true
	}
	return func(b []byte) int {
		into, n = b, 0
		if raw.Read(read) != nil {
			return 0 // closed, or its deadline has passed: likewise
		}
		into = nil
		return n
	}
}
