package proctest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Stop stops the process and returns when it does not run any more, which takes a while after
// the signal. SIGCONT lets it go on; so does the end of the test.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
	})
	Until(p.t, "all threads are stopped", p.stopped, p)
}

// stopped reports whether each thread is.
func (p *Process) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil {
		return false
	}
	for _, file := range threads {
		b, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		// The name, in parentheses, may have any bytes; the state is the letter after it.
		if i := bytes.LastIndexByte(b, ')'); i < 0 || !bytes.HasPrefix(b[i:], []byte(") T")) {
			return false
		}
	}
	return len(threads) > 0
}
