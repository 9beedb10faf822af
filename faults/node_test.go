//go:build faults && linux

package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// node is one member: a process on a host. Its methods fail the test that it
// was started for, and are for the goroutine of that test.
type node struct {
	*journal
	l       *lab
	host    int
	name    string // for messages
	addr    string
	id      string
	begin   time.Time // when the process was started
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	exited  chan struct{} // closed when the process is gone and its output read
	ended   bool          // by the test, on purpose
	streams map[string]*load

	mu    sync.Mutex
	log   []string // standard error
	wrong []error  // output that breaks the protocol
}

// launch starts a member on a host and does not wait for it.
func (l *lab) launch(host int, settings ...string) *node {
	l.t.Helper()
	n := &node{
		journal: newJournal(), l: l, host: host,
		addr: fmt.Sprintf("%s:4000", l.net.Addr(host)), begin: time.Now(),
		exited: make(chan struct{}), streams: make(map[string]*load),
	}
	n.name = fmt.Sprintf("node %d (%s)", len(l.nodes), n.addr)
	n.cmd = l.net.Command(host, program, "node")
	n.cmd.Env = append(os.Environ(), "RN_BIND="+l.net.Addr(host).String(), "GORACE=halt_on_error=1",
		fmt.Sprintf("RN_FREQ_MS=%d", beat.Milliseconds()), fmt.Sprintf("RN_DROP_MS=%d", drop.Milliseconds()))
	n.cmd.Env = append(append(n.cmd.Env, l.settings...), settings...)
	if err := n.run(); err != nil {
		l.t.Fatalf("start %s: %v", n.name, err)
	}
	l.nodes = append(l.nodes, n)
	return n
}

// run starts the process and the readers of its output.
func (n *node) run() error {
	stdin, err := n.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := n.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.stdin = stdin
	var readers sync.WaitGroup
	readers.Go(func() { n.read(stdout, n.parse) }) // ends with the process
	readers.Go(func() { n.read(stderr, n.noteLog) })
	go func() { // ends with the readers; end waits for it
		defer close(n.exited)
		readers.Wait()
		err := n.cmd.Wait()
		n.finish(fmt.Errorf("%s has ended: %w", n.name, ending(err)))
	}()
	return nil
}

// ending makes an error of a good end too, for those who wait for an event.
func ending(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// read gives whole lines to take; half a one was cut off by a kill.
func (n *node) read(r io.Reader, take func(line string)) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		take(strings.TrimSuffix(line, "\n"))
	}
}

func (n *node) parse(line string) {
	e := event{at: time.Now()}
	err := json.Unmarshal([]byte(line), &e)
	if err == nil {
		err = n.add(e)
	}
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.wrong = append(n.wrong, fmt.Errorf("%q: %w", line, err))
	}
}

func (n *node) noteLog(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, line)
}

// logged returns the lines of standard error that match.
func (n *node) logged(pattern string) []string {
	match := regexp.MustCompile(pattern)
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []string
	for _, line := range n.log {
		if match.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

// started waits until the member is in the group.
func (n *node) started() {
	n.l.t.Helper()
	e := n.await(0, "the start", func(e event) bool { return e.Ev == "started" })
	if e.Member != n.addr || e.PID != n.cmd.Process.Pid {
		n.l.t.Fatalf("%s started as %s with process id %d, want %d", n.name, e.Member, e.PID, n.cmd.Process.Pid)
	}
	n.id = e.ID
}

// await waits for the first entry from mark on that matches.
func (n *node) await(mark int, what string, match func(event) bool) event {
	n.l.t.Helper()
	e, err := n.wait(n.l.ctx, mark, match)
	if err != nil {
		n.l.t.Fatalf("%s: waiting for %s: %v", n.name, what, err)
	}
	return e
}

// tell sends a command.
func (n *node) tell(format string, args ...any) {
	n.l.t.Helper()
	if _, err := fmt.Fprintf(n.stdin, format+"\n", args...); err != nil {
		n.l.t.Fatalf("%s: "+format+": %v", append(append([]any{n.name}, args...), err)...)
	}
}

// ask sends a command and waits for an event that only it brings.
func (n *node) ask(command, answer string) event {
	n.l.t.Helper()
	mark := n.mark()
	n.tell("%s", command)
	return n.await(mark, "the answer to "+command, func(e event) bool {
		return e.Ev == answer || e.Ev == "error" && e.Cmd == command
	})
}

// stat returns the present stats.
func (n *node) stat() stats {
	n.l.t.Helper()
	return n.ask("stats", "stats").stats
}

// set changes a setting.
func (n *node) set(what string, value int) {
	n.l.t.Helper()
	if e := n.ask(fmt.Sprintf("set %s %d", what, value), "ok"); e.Ev != "ok" {
		n.l.t.Fatalf("%s: %s: %s", n.name, e.Cmd, e.Err)
	}
}

// signal sends a signal and returns when.
func (n *node) signal(s syscall.Signal) time.Time {
	n.l.t.Helper()
	at := time.Now()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.l.t.Fatalf("%s: %v: %v", n.name, s, err)
	}
	return at
}

// kill ends the process without a goodbye and returns when.
func (n *node) kill() time.Time {
	n.l.t.Helper()
	n.ended = true
	at := n.signal(syscall.SIGKILL)
	<-n.exited
	return at
}

// stop makes the member leave and end, and returns when it was told to.
func (n *node) stop() time.Time {
	n.l.t.Helper()
	n.ended = true
	at := time.Now()
	n.ask("stop", "stopped")
	<-n.exited
	if !n.cmd.ProcessState.Success() {
		n.l.t.Errorf("%s: stop ended with %v", n.name, n.cmd.ProcessState)
	}
	return at
}

// cleanUp ends the process whatever it does, and shows what it said if the test
// failed.
func (n *node) cleanUp(t *testing.T) {
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("%s: kill: %v", n.name, err)
	}
	<-n.exited
	if !t.Failed() {
		return
	}
	for _, e := range n.since(0, func(e event) bool { return e.Ev != "message" && e.Ev != "ack" && e.Ev != "sendError" }) {
		t.Logf("%s: %s %s %s%s", n.name, e.at.Format("05.000"), e.Ev, e.Member, e.Cmd)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.log[:min(len(n.log), 40)] {
		t.Logf("%s: log: %s", n.name, line)
	}
}
