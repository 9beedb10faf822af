package show

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
)

// line is one event of a child; fields that it does not have are zero.
type line struct {
	Ev       string   `json:"ev"`
	Member   string   `json:"member"`
	ID       string   `json:"id"`
	Shutdown bool     `json:"shutdown"`
	Err      string   `json:"err"`
	Faulty   []string `json:"faulty"`
	Acked    uint64   `json:"acked"`
	Failed   uint64   `json:"failed"`
	Received uint64   `json:"received"`
	Members  []string `json:"members"`
}

// note is an event of a member process as the display gets it.
type note struct {
	child *child
	line  line
	gone  error // set when the process has ended: why
}

// child is one member process.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser

	log  *tail
	addr string // where it listens
	busy bool   // it was told to send
}

// tail keeps the last part of what is written to it.
type tail struct{ b []byte }

const tailSize = 2 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailSize):]
	return len(p), nil
}

// lastLine is the last line that was written, which says why a member ended.
func (t *tail) lastLine() string {
	text := strings.TrimSpace(string(t.b))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

var errEnded = errors.New("ended")

// start runs a member process, which reports to notes until it ends.
func start(name string, env map[string]string, notes chan<- note, readers *sync.WaitGroup) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "node")
	cmd.Env = settings.Environ(env)
	log := new(tail)
	cmd.Stderr = log
	cmd.SysProcAttr = ownGroup()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("member %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, stdin: stdin, log: log}
	readers.Go(func() { c.read(stdout, notes) }) // ends with the process
	return c, nil
}

func (c *child) read(stdout io.Reader, notes chan<- note) {
	in := bufio.NewScanner(stdout)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err == nil {
			notes <- note{child: c, line: l}
		}
	}
	err := c.cmd.Wait()
	if err == nil {
		err = errEnded
	}
	if last := c.log.lastLine(); last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	notes <- note{child: c, gone: err}
}

// command writes one command; a process that is gone does not mind.
func (c *child) command(format string, args ...any) {
	fmt.Fprintf(c.stdin, format+"\n", args...)
}

func (c *child) kill() error { return c.cmd.Process.Kill() }
