// Package node is the subcommand that runs one member for a script: settings
// from the environment, commands on standard input, events on standard output.
package node

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
	"github.com/gotribes/tribes/group"
)

// Exit statuses.
const (
	exitOK    = 0
	exitStart = 1 // the node could not start, or its commands not be read
	exitUsage = 2
)

const intro = `usage: tribes-demo node [flags]

Runs one member of a group that a script drives: one command per line on
standard input, one JSON object per event on standard output, the log on
standard error. Settings come from the environment or from flags, which win.

Commands: send STREAM SEQ LEN MODE DEST
          bench STREAM COUNT LEN MODE RATE DEST [THREADS]
          stats | set NAME VALUE | gc | leave | join | stop
Names:    recvDelayMs N | recvBlock 0|1 | recvThrow 0|1 | quiet 0|1
Modes:    none ack sync async asyncack asyncsync udpmcast, or option bits
Dest:     * (all members) or ADDRESS:PORT[;ADDRESS:PORT...]

`

// leaveTimeout bounds an orderly leave; what is queued then is reported failed.
const leaveTimeout = 5 * time.Second

// Node is one driven member. Its counters and settings outlive a leave.
type node struct {
	settings *settings.Settings
	log      *slog.Logger
	out      *emitter
	streams  streams
	switches switches
	counts   counts
	history  history

	work     sync.WaitGroup // sends and benches under way
	requests chan request   // single sends, in order

	mu      sync.Mutex
	current *group.Group // nil after a leave
}

// counts are the counters of the stats event.
type counts struct {
	sent, acked, failed, received, odd atomic.Uint64
}

// Run carries out the subcommand until stop, the end of stdin or the end of
// ctx, and returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s, rest, err := settings.Parse("node", args, os.Getenv, settings.Help(stdout, intro), nil)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "tribes-demo node:", err)
		return exitUsage
	case len(rest) > 0:
		fmt.Fprintf(stderr, "tribes-demo node: unexpected argument %q\n", rest[0])
		return exitUsage
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n := &node{settings: s, log: log, out: newEmitter(stdout, log), requests: make(chan request, 1024)}
	n.switches.set("quiet", s.Quiet)
	if !s.Given() {
		fmt.Fprintf(stderr, "tribes-demo node: no settings: joining %s:%d on the loopback interface, reading commands from standard input (-h lists them)\n", s.McastAddr, s.McastPort)
	}
	err = n.withStatus(func() error {
		if err := n.join(ctx); err != nil {
			return err
		}
		return n.serve(ctx, stdin)
	})
	if err != nil {
		fmt.Fprintln(stderr, "tribes-demo node:", settings.OneLine(err))
		return exitStart
	}
	return exitOK
}

// serve carries out commands until one ends the node, or no more can be read.
func (n *node) serve(ctx context.Context, stdin io.Reader) (unread error) {
	ctx, cancel := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() { // ends when requests is closed
		defer close(sent)
		n.sendRequests(ctx)
	}()
	lines, failed := make(chan string), make(chan error, 1)
	go readLines(ctx, stdin, lines, failed) // ends with stdin, or with the process
	stopped := false
	for open := true; open && !stopped; {
		var line string
		select {
		case line, open = <-lines:
			if !open {
				unread = <-failed
				break
			}
			stopped = n.command(ctx, line)
		case <-ctx.Done():
			open = false
		}
	}
	close(n.requests)
	if stopped {
		drain(sent)
	}
	n.leave()
	cancel()
	<-sent
	n.work.Wait()
	if stopped {
		n.out.emit(cmdEvent{event: n.at("stopped"), Cmd: "stop"})
	}
	return unread
}

// drain waits until the sends that were asked for before stop are done, but no
// longer than a leave may take: the rest then fails.
func drain(sent <-chan struct{}) {
	limit := time.NewTimer(leaveTimeout)
	defer limit.Stop()
	select {
	case <-sent:
	case <-limit.C:
	}
}

// maxLine is the longest command, in bytes.
const maxLine = 1 << 20

// readLines reads commands until r or ctx ends; then it says why they cannot be read.
func readLines(ctx context.Context, r io.Reader, lines chan<- string, failed chan<- error) {
	defer close(lines)
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	for in.Scan() {
		if line := strings.TrimSpace(in.Text()); line != "" {
			select {
			case lines <- line:
			case <-ctx.Done():
				failed <- nil
				return
			}
		}
	}
	err := in.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		err = fmt.Errorf("standard input: a command of more than %d bytes", maxLine)
	case err != nil:
		err = fmt.Errorf("standard input: %w", err)
	}
	failed <- err
}

// join makes a new member and starts it.
func (n *node) join(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current != nil {
		return errors.New("already in the group")
	}
	v := &visitor{n: n}
	g, err := member.New(n.settings, n.log, group.WithTrace(&channel.Trace{ViewAgreed: v.agreed}))
	if err != nil {
		return err
	}
	v.g = g
	g.Listen(v)
	g.Watch(v)
	if err := g.Start(ctx); err != nil {
		return err
	}
	n.current = g
	v.started()
	if len(n.settings.Static) > 0 {
		n.work.Go(func() { n.warnOfMissing(ctx, g) }) // ends after a drop time, or with the group
	}
	return nil
}

// leave leaves the group; messages that cannot be sent any more are reported.
func (n *node) leave() bool {
	n.mu.Lock()
	g := n.current
	n.current = nil
	n.mu.Unlock()
	if g == nil {
		return false
	}
	n.switches.release()
	n.history.left()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := g.Stop(ctx); err != nil {
		n.log.Warn("leave was not orderly", "err", err)
		<-g.Done()
	}
	return true
}

func (n *node) group() *group.Group {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current
}
