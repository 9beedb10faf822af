//go:build unix

package doctor

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// shareAddress lets a socket stand beside others on the group's port.
func shareAddress(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}); e != nil {
		return e
	}
	return err
}
