package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// stopLimit is how long a node may take to end by itself.
const stopLimit = drainLimit + 5*time.Second

// killLimit is how long the end of a process that is killed is waited for.
const killLimit = 2 * time.Second

// fleet is the processes of a cluster. It is the balance.Control of the proxy.
type fleet struct {
	names   []string
	args    map[string][]string // their command lines
	out     *display
	errs    io.Writer // their logs
	readers sync.WaitGroup

	// Told, before and after a process serves, and before one is stopped.
	moved    func(name, addr string)
	draining func(name string)

	changed chan struct{} // has room for one; something happened to a process

	mu sync.Mutex
	// The rest is guarded by mu.
	procs  map[string]*process
	whole  bool // all of them were ready
	ending bool
	early  error // a process that ended before that
}

func newFleet(p plan, c *commands, out *display, errs io.Writer) *fleet {
	f := &fleet{out: out, errs: &lockedWriter{w: errs}, args: make(map[string][]string),
		changed: make(chan struct{}, 1), procs: make(map[string]*process)}
	for _, n := range p {
		f.names = append(f.names, n.Name)
		f.args[n.Name] = c.of(n)
	}
	return f
}

func (f *fleet) startAll() error {
	for _, name := range f.names {
		if err := f.Start(name); err != nil {
			return err
		}
	}
	return nil
}

// errPatience is the error of nodes that took too long.
var errPatience = errors.New("not all nodes were ready in time")

// wait returns when done does, or with an error if a process ends first.
func (f *fleet) wait(ctx context.Context, limit time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return errPatience
		case <-f.changed:
			f.mu.Lock()
			err := f.early
			f.mu.Unlock()
			if err != nil {
				return err
			}
		case <-t.C: // the proxy's checks
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole = true
	return nil
}

// Start implements balance.Control.
func (f *fleet) Start(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ending:
		return errors.New("the cluster is ending")
	case f.procs[name] != nil:
		return fmt.Errorf("%s is running", name)
	}
	p, err := startProcess(f.args[name], f.errs)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.procs[name] = p
	f.readers.Go(func() { f.follow(name, p) }) // ends with the process
	return nil
}

// follow hears a process until it ends.
func (f *fleet) follow(name string, p *process) {
	err := p.follow(func(addr string) {
		f.out.say("%s is up at http://%s/, process %d", name, addr, p.pid())
		f.moved(name, addr)
	})
	f.moved(name, "")
	f.out.say("%s has ended: %s", name, reason(err))
	f.mu.Lock()
	delete(f.procs, name)
	if !f.whole && !f.ending && f.early == nil {
		f.early = fmt.Errorf("%s did not start: %s: %s", name, reason(err), p.lastLine())
	}
	f.mu.Unlock()
	close(p.ended)
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func reason(err error) string {
	if err == nil {
		return "as asked"
	}
	return err.Error()
}

// PID implements balance.Control.
func (f *fleet) PID(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.procs[name]; p != nil {
		return p.pid()
	}
	return 0
}

// Kill implements balance.Control. The process has ended when it returns, or hangs in the
// kernel.
func (f *fleet) Kill(name string) error {
	p, err := f.running(name)
	if err != nil {
		return err
	}
	f.out.say("%s is killed: SIGKILL, no goodbye", name)
	err = p.kill()
	if err == nil {
		select {
		case <-p.ended:
		case <-time.After(killLimit):
		}
	}
	return err
}

// Stop implements balance.Control.
func (f *fleet) Stop(name string) error {
	p, err := f.running(name)
	if err != nil {
		return err
	}
	f.out.say("%s is asked to stop", name)
	f.draining(name)
	return p.stop()
}

func (f *fleet) running(name string) (*process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.procs[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s is not running", name)
}

// stopAll ends all processes and waits for them; the slow ones are killed.
func (f *fleet) stopAll() {
	f.each(func(p *process) { p.stop() })
	done := make(chan struct{})
	go func() { // ends when all processes have
		f.readers.Wait()
		close(done)
	}()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		f.each(func(p *process) { p.kill() })
		<-done
	}
	f.out.say("all nodes have ended")
}

// each ends what can still be started, and goes through what runs. A process
// that has just ended by itself cannot be ended, which is no error here.
func (f *fleet) each(end func(*process)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending = true
	for _, p := range f.procs {
		end(p)
	}
}

// childArgs are the arguments of a node for those of its cluster; what differs
// comes behind them and wins.
func childArgs(args []string) []string {
	if n := len(args); n > 0 && args[n-1] == "--" { // behind it would be no flags
		args = args[:n-1]
	}
	return append([]string{"web"}, args...)
}

// lockedWriter lets processes write whole lines one after the other.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// addrOf takes the address from the line of a node that serves, or of a store node whose
// status page is there.
func addrOf(line string) (string, bool) {
	_, rest, ok := strings.Cut(line, " serves http://")
	if !ok {
		_, rest, ok = strings.Cut(line, " status http://")
	}
	return strings.TrimSuffix(rest, "/"), ok && strings.HasSuffix(rest, "/")
}
