//go:build unix

package proc

import (
	"os"
	"syscall"
)

// kill ends the group of a process.
func kill(p *os.Process) {
	if syscall.Kill(-p.Pid, syscall.SIGKILL) != nil {
		_ = p.Kill() // it may have ended
	}
}
