package place

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is a process on a host.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // how; after done
}

// Start runs args on a host, in a folder of the name that Folder got; its output
// goes to the file log there. env is added to the environment.
func (p *Place) Start(host int, folder string, args, env []string) (*Process, error) {
	argv := p.net.argv(host, args)
	out, err := os.OpenFile(filepath.Join(p.dir, folder, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own
	r := &Process{cmd: exec.Command(argv[0], argv[1:]...), log: out.Name(), done: make(chan struct{})}
	r.cmd.Dir = filepath.Dir(out.Name())
	r.cmd.Stdout, r.cmd.Stderr = out, out
	r.cmd.Env = append(os.Environ(), env...)
	dieWithUs(r.cmd)
	begun := make(chan error)
	go func() {
		defer close(r.done)
		// The kernel ends the process with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := r.cmd.Start()
		begun <- err
		if err == nil {
			r.err = r.cmd.Wait()
		}
	}()
	return r, <-begun
}

// Done is closed when the process has ended.
func (r *Process) Done() <-chan struct{} { return r.done }

// Kill ends the process without a word.
func (r *Process) Kill() {
	r.cmd.Process.Kill() // it may have ended
	<-r.done
}

// grace is how long a process may take to end when it is asked to.
const grace = 20 * time.Second

// Stop asks the process to end and waits; it is killed when it takes too long.
func (r *Process) Stop() error {
	r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	limit := time.NewTimer(grace)
	defer limit.Stop()
	select {
	case <-r.done:
		return nil
	case <-limit.C:
		r.Kill()
		return fmt.Errorf("process did not end within %v", grace)
	}
}

// Complaint is an error with the end of the log.
func (r *Process) Complaint(what string) error {
	b, err := os.ReadFile(r.log)
	if err != nil {
		return fmt.Errorf("%s; its log: %w", what, err)
	}
	lines := strings.Split(string(bytes.TrimSpace(b)), "\n")
	return fmt.Errorf("%s: %s", what, strings.Join(lines[max(0, len(lines)-3):], " / "))
}

// CPU is the processor time that the process has used, in steps of 10 ms; zero where
// the system does not tell.
func (r *Process) CPU() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
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
