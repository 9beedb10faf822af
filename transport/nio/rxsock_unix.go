//go:build unix

package nio

import (
	"errors"
	"syscall"
)

// isReset reports whether the other end has reset the connection.
func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// isPortTaken reports whether another port may be free.
func isPortTaken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
