package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/gotribes/tribes/bench/internal/proc"
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
	*proc.Process
	name   string
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
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	started, err := proc.Start(cmd)
	w.Close() // the process has its own
	if err != nil {
		stdout.Close() // nothing was written
		return nil, err
	}
	p := &process{Process: started, name: fmt.Sprintf("%s member %d", name, id), stdin: stdin, events: make(chan reply, 1024)}
	go p.read(stdout) // ends with the process
	return p, nil
}

func (p *process) read(stdout io.ReadCloser) {
	defer close(p.events)
	defer stdout.Close() // after its end
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

// await returns the next event of that kind; others are passed over.
func (p *process) await(ctx context.Context, ev string) (reply, error) {
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
	return p.await(ctx, ev)
}

// grace is how long a member may take to end when it is told to.
const grace = 5 * time.Second

// close ends the process: first by a word, then by a signal.
func (p *process) close() {
	_ = p.command("quit") // one that is gone does not mind
	p.stdin.Close()
	gone := make(chan struct{})
	go func() { // ends with the process
		defer close(gone)
		_ = p.Wait(grace) // how it ends says nothing about what was measured
	}()
	for range p.events { // or it could not write
	}
	<-gone
}
