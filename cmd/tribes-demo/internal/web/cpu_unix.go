//go:build unix

package web

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that the process has taken, 0 if it is not known.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
