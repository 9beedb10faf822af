//go:build interop

package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// recentLines is how much of a node's output a failing test shows.
const recentLines = 80

// forking is held while a process starts: until it is its own program it has all sockets of this one, also those that
// are closed here meanwhile, and whose ports are believed to be free.
var forking sync.Mutex

// process runs a program that prints events and reads commands, each one line.
type process struct {
	inbox  *inbox
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	exited chan struct{} // closed when the program is gone and its output read
	err    error         // how it ended; to be read after exited

	mu    sync.Mutex
	lines []string // the last output of both streams
	wrong error    // the first line of stdout that was no event
}

// startProcess starts cmd, whose streams must not be set. The caller must end it by kill.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{inbox: newInbox(), cmd: cmd, exited: make(chan struct{})}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	forking.Lock()
	err = cmd.Start()
	forking.Unlock()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	var readers sync.WaitGroup
	readers.Go(func() { p.read(stdout, p.parse) }) // ends with the program
	readers.Go(func() { p.read(stderr, p.note) })  // ends with the program
	go func() {                                    // ends with the readers; kill and wait await it
		defer close(p.exited)
		readers.Wait()
		p.err = p.cmd.Wait()
		p.inbox.finish(fmt.Errorf("process has ended: %w", exitError(p.err)))
	}()
	return p, nil
}

// exitError turns a clean end, too, into an error: for those who still wait for an event it is one.
func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// read gives the lines of r to take, however long they are.
func (p *process) read(r io.Reader, take func(line string)) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			p.note(line) // half a line is no event: the program was killed while it wrote it
			return
		}
		take(strings.TrimSuffix(line, "\n"))
	}
}

// parse takes a line of stdout.
func (p *process) parse(line string) {
	p.note(line)
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.wrong == nil {
			p.wrong = fmt.Errorf("not an event: %q: %w", line, err)
		}
		return
	}
	p.inbox.add(e)
}

// note keeps a line for recent.
func (p *process) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines) == recentLines {
		p.lines = append(p.lines[:0], p.lines[1:]...)
	}
	p.lines = append(p.lines, line)
}

// recent is the last output, both streams as they came.
func (p *process) recent() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// malformed is nil if every line of stdout was an event.
func (p *process) malformed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrong
}

// writeLine sends a line to the program.
func (p *process) writeLine(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// wait returns how the program ended, or the context.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// kill ends the program by a signal that it cannot refuse and waits until it is gone. It may be called again.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return nil
}
