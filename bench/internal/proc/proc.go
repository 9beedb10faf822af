package proc

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is a process that was started. Its methods may be called by several goroutines.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Start starts cmd, whose SysProcAttr it replaces, and waits for its end: nobody else may
// call Wait. So the output is for files, or for pipes that the caller has made and reads.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = attributes()
	begun := make(chan error)
	go func() { // ends with the process
		defer close(p.done)
		// The kernel ends the process with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		begun <- err
		if err == nil {
			_ = cmd.Wait() // it is told to end, or its output says why it has
		}
	}()
	if err := <-begun; err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ID is the process id.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Kill ends the process, and what it has started in its group, without a word.
func (p *Process) Kill() {
	kill(p.cmd.Process)
	<-p.done
}

// Stop asks the process to end and waits; after the grace it is killed, which is an
// error.
func (p *Process) Stop(grace time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	return p.Wait(grace)
}

// Wait waits for the end; after the grace the process is killed, which is an error.
func (p *Process) Wait(grace time.Duration) error {
	limit := time.NewTimer(grace)
	defer limit.Stop()
	select {
	case <-p.done:
		return nil
	case <-limit.C:
		p.Kill()
		return fmt.Errorf("process did not end within %v", grace)
	}
}

// CPU is the processor time that the process has used, in steps of 10 ms; zero where
// the system does not tell.
func (p *Process) CPU() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.ID()))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+1:])
	const utime, stime, perSecond = 11, 12, 100
	if len(f) <= stime {
		return 0
	}
	var ticks time.Duration
	for _, s := range []string{f[utime], f[stime]} {
		var n int64
		if _, err := fmt.Sscan(s, &n); err != nil {
			return 0
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / perSecond
}
