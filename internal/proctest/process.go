// Package proctest runs programs in tests: it builds and starts them, waits for what they
// print and for their end, and is a browser for those that serve HTTP. What goes wrong
// fails the test; nothing that was started is left when it ends.
package proctest

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Watchdog is how long something is waited for: far more than anything takes.
const Watchdog = time.Minute

// Build compiles the program in the directory of the test.
func Build(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// Ports returns different ports of the loopback interface that nobody uses now.
func Ports(t testing.TB, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// Process is a program that runs. At the end of the test it is asked to end, if it has
// not, and what it has printed is shown if the test has failed.
type Process struct {
	Out, Err Output
	// Quit is the signal that asks it to end when the test ends, SIGTERM unless it is changed.
	Quit os.Signal

	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // then
}

// Start starts a program with more in its environment, such as "NAME=value".
func Start(t testing.TB, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{Quit: syscall.SIGTERM, t: t, cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	p.Out, p.Err = Output{p: p, more: make(chan struct{})}, Output{p: p, more: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.Out, &p.Err
	p.cmd.WaitDelay = Watchdog / 2 // if others hold its output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which the clean-up waits for
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		// Those that have workers must be asked to end, or the workers are left behind.
		late := time.AfterFunc(Watchdog/2, func() { _ = p.cmd.Process.Kill() }) // it may have ended
		if err := p.cmd.Process.Signal(p.Quit); err != nil {
			_ = p.cmd.Process.Kill() // the same
		}
		<-p.done
		late.Stop()
		if t.Failed() {
			t.Logf("%s\n%s%s", strings.Join(p.cmd.Args, " "), &p.Out, &p.Err)
		}
	})
	return p
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Kill kills the process and waits for its end.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(os.Kill)
	<-p.done
}

// Ended waits for the end, which must be a clean one.
func (p *Process) Ended() {
	p.t.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("ended with %v", p.err)
		}
	case <-time.After(Watchdog):
		p.t.Errorf("not ended within %v", Watchdog)
	}
}

// Until waits until ok, while processes run.
func Until(t testing.TB, what string, ok func() bool, running ...*Process) {
	t.Helper()
	for limit := time.Now().Add(Watchdog); !ok(); time.Sleep(20 * time.Millisecond) {
		for _, p := range running {
			select {
			case <-p.done:
				t.Fatalf("%s has ended, %v, before %s", p.cmd.Args[0], p.err, what)
			default:
			}
		}
		if time.Now().After(limit) {
			t.Fatal("never: ", what)
		}
	}
}

// Status returns the status of the answer to a GET, 0 if there is none.
func Status(url string) int {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	res, err := c.Get(url)
	if err != nil {
		return 0
	}
	if err := res.Body.Close(); err != nil {
		return 0
	}
	return res.StatusCode
}

// Output is what a process writes to one of its streams.
type Output struct {
	p *Process

	mu   sync.Mutex
	all  []byte
	next int           // of all, what no Line has seen
	more chan struct{} // closed and replaced when there is more
}

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, b...)
	close(o.more)
	o.more = make(chan struct{})
	return len(b), nil
}

// String returns all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.all)
}

// Line waits for the next line with text in it, and returns it.
func (o *Output) Line(text string) string {
	o.p.t.Helper()
	limit, ended := time.After(Watchdog), o.p.done
	for err := error(nil); ; {
		o.mu.Lock()
		for {
			line, rest, whole := bytes.Cut(o.all[o.next:], []byte("\n"))
			if !whole {
				break
			}
			if o.next = len(o.all) - len(rest); bytes.Contains(line, []byte(text)) {
				o.mu.Unlock()
				return string(line)
			}
		}
		more := o.more
		o.mu.Unlock()
		if err != nil {
			o.p.t.Fatalf("no line with %q: %v", text, err)
		}
		select {
		case <-more:
		case <-ended: // nothing comes after that
			err = errors.New("the process has ended")
		case <-limit:
			err = errors.New("not in time")
		}
	}
}
