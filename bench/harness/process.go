package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// replyTimeout bounds the answer to one command. A stop may have to wait for
// calls that run into their timeouts.
const replyTimeout = 30 * time.Second

// reply is an event of a member process.
type reply struct {
	Ev        string `json:"ev"`
	T         int64  `json:"t"` // ns
	N         uint64 `json:"n"`
	Err       string `json:"err"`
	Recv      uint64 `json:"recv"`
	RecvBytes uint64 `json:"recvBytes"`
	Done      uint64 `json:"done"`
	Sent      uint64 `json:"sent"`
	Errs      uint64 `json:"errs"`
	LastErr   string `json:"lastErr"`
	Alloc     uint64 `json:"alloc"`
	P50       uint64 `json:"p50"`
	P99       uint64 `json:"p99"`
	P999      uint64 `json:"p999"`
}

// process is a member process as the conductor sees it.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan reply // closed when the process has ended
}

// launch starts command, which is given to a shell, with the arguments of the
// member protocol.
func launch(name, command string, id, n, base int, opts string) (*process, error) {
	line := fmt.Sprintf("exec %s -id %d -n %d -base %d", command, id, n, base)
	if opts != "" {
		line += " -opts " + opts
	}
	cmd := exec.Command("sh", "-c", line)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: fmt.Sprintf("%s member %d", name, id), cmd: cmd, stdin: stdin, events: make(chan reply, 1024)}
	go p.read(stdout) // ends with the process
	return p, nil
}

func (p *process) read(stdout io.Reader) {
	defer close(p.events)
	for in := bufio.NewScanner(stdout); in.Scan(); {
		var r reply
		if err := json.Unmarshal(in.Bytes(), &r); err == nil {
			p.events <- r
		}
	}
}

// command sends one line.
func (p *process) command(format string, args ...any) error {
	_, err := fmt.Fprintf(p.stdin, format+"\n", args...)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// wait returns the next event of that kind; others are passed over.
func (p *process) wait(ctx context.Context, ev string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	for {
		select {
		case r, ok := <-p.events:
			switch {
			case !ok:
				return reply{}, fmt.Errorf("%s ended", p.name)
			case r.Ev == ev && r.Err != "":
				return r, fmt.Errorf("%s: %s", p.name, r.Err)
			case r.Ev == ev:
				return r, nil
			}
		case <-ctx.Done():
			return reply{}, fmt.Errorf("%s: no %q within %v", p.name, ev, replyTimeout)
		}
	}
}

// ask sends a command and waits for its answer.
func (p *process) ask(ctx context.Context, ev, format string, args ...any) (reply, error) {
	if err := p.command(format, args...); err != nil {
		return reply{}, err
	}
	return p.wait(ctx, ev)
}

// cpu is the processor time that the process has used; zero where the system
// does not tell.
func (p *process) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	rest := string(b)[strings.LastIndexByte(string(b), ')')+1:]
	f := strings.Fields(rest)
	const utime, stime, perSecond = 11, 12, 100
	if len(f) <= stime {
		return 0
	}
	var ticks time.Duration
	for _, s := range []string{f[utime], f[stime]} {
		var n int64
		fmt.Sscan(s, &n)
		ticks += time.Duration(n)
	}
	return ticks * time.Second / perSecond
}

// close ends the process: first by a word, then by a signal.
func (p *process) close() {
	p.command("quit") // one that is gone does not mind
	p.stdin.Close()
	limit := time.AfterFunc(5*time.Second, func() { p.cmd.Process.Signal(syscall.SIGKILL) })
	defer limit.Stop()
	for range p.events {
	}
	p.cmd.Wait() // how it ended says nothing about what was measured
}
