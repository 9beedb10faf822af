//go:build !unix

package nio

import (
	"errors"
	"syscall"
)

// The numbers of Windows Sockets; package syscall has names for others alone.
const (
	wsaAddrInUse = syscall.Errno(10048)
	wsaConnReset = syscall.Errno(10054)
)

// isReset reports whether the other end has reset the connection.
func isReset(err error) bool { return errors.Is(err, wsaConnReset) }

// isPortTaken reports whether another port may be free.
func isPortTaken(err error) bool { return errors.Is(err, wsaAddrInUse) }
