package serve

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// process is the process of a node.
type process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	log    *tail
	ended  chan struct{} // closed when its fleet knows that it has
}

// startProcess runs this program with args; its log goes to errs.
func startProcess(args []string, errs io.Writer) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, args...), log: &tail{w: errs}, ended: make(chan struct{})}
	p.cmd.Stderr = p.log
	p.cmd.SysProcAttr = dependent()
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// follow calls serves when the process does, and returns how it has ended.
func (p *process) follow(serves func(addr string)) error {
	in := bufio.NewScanner(p.stdout)
	for in.Scan() {
		if addr, ok := addrOf(in.Text()); ok {
			serves(addr)
		}
	}
	return errors.Join(in.Err(), p.cmd.Wait())
}

func (p *process) pid() int         { return p.cmd.Process.Pid }
func (p *process) kill() error      { return p.cmd.Process.Kill() }
func (p *process) lastLine() string { return p.log.last() }

// stop asks the process to end; where that cannot be asked for, it is killed.
func (p *process) stop() error {
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return p.kill()
	}
	return err
}

// tail passes on what is written to it and keeps the end.
type tail struct {
	w  io.Writer
	mu sync.Mutex
	b  []byte
}

const tailSize = 2 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailSize):]
	t.mu.Unlock()
	return t.w.Write(p)
}

// last is the last line.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.b))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
