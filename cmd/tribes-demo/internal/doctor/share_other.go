//go:build !unix

package doctor

import "syscall"

// shareAddress does nothing where the system shares multicast ports by itself
// or not at all; the echo then tells.
func shareAddress(_, _ string, _ syscall.RawConn) error { return nil }
