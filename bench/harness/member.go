package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gotribes/tribes/bench/internal/command"
)

// member is the process side of one measured member.
type member struct {
	cfg   MemberConfig
	node  Node
	load  *load
	count receiveCount

	mu  sync.Mutex
	out *json.Encoder
	err error
}

// event is one line of output.
type event map[string]any

// began is the zero of the monotonic clock of this process. The members of one
// machine differ by less than their start takes; only differences of one
// member's times are used.
var began = time.Now()

func (m *member) emit(ev string, fields event) {
	line := event{"ev": ev, "t": time.Since(began).Nanoseconds()}
	for k, v := range fields {
		line[k] = v
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.out.Encode(line); err != nil && m.err == nil {
		m.err = err
	}
}

// runMember carries out the subcommand member.
func runMember(ctx context.Context, args []string, drivers []Driver, stdin io.Reader, stdout io.Writer) error {
	m := &member{out: json.NewEncoder(stdout)}
	driver, err := m.configure(args, drivers, stdout)
	if err != nil {
		return err
	}
	m.emit("boot", nil)
	m.cfg.Received = m.count.received
	m.cfg.View = func(n int) { m.emit("view", event{"n": n}) }
	if m.node, err = driver.Open(ctx, m.cfg); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	m.emit("ready", nil)
	m.serve(ctx, stdin)
	m.stop()
	return m.node.Close()
}

const memberIntro = `usage: bench member -id I -n N -base PORT [-driver NAME] [-opts k=v,...]

Runs one member of a measured group; member i listens on port PORT+i. Commands on
standard input, one JSON object per event on standard output:

  members                         how many other members are seen
  start KIND SIZE CALLERS DEST    begin a load; DEST is one (the next member) or all
  mark                            counters, and latencies since the last mark
  stop                            end the load
  quit                            exit, as does the end of input

Kinds: noack async asyncack useack sync

`

func (m *member) configure(args []string, drivers []Driver, help io.Writer) (Driver, error) {
	fs := flag.NewFlagSet("member", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&m.cfg.ID, "id", 0, "`number` of this member, from 0")
	fs.IntVar(&m.cfg.N, "n", 2, "`members` of the group")
	fs.IntVar(&m.cfg.Base, "base", 5000, "first `port`")
	name := fs.String("driver", drivers[0].Name(), "transport: "+strings.Join(names(drivers), ", "))
	opts := fs.String("opts", "", "options of the driver, `k=v,...`")
	if err := command.Parse(fs, args, help, func(w io.Writer) { fmt.Fprint(w, memberIntro) }); err != nil {
		return nil, err
	}
	c := &m.cfg
	if c.N < 1 || c.ID < 0 || c.ID >= c.N || c.Base < 1 || c.Base+c.N > 65536 {
		return nil, command.Usage{Err: errors.New("want 0 <= id < n, and n ports from base on")}
	}
	var err error
	if c.Opts, err = parseOpts(*opts); err != nil {
		return nil, command.Usage{Err: err}
	}
	for _, d := range drivers {
		if d.Name() == *name {
			return d, nil
		}
	}
	return nil, command.Usage{Err: fmt.Errorf("driver %q: want %s", *name, strings.Join(names(drivers), ", "))}
}

func names(drivers []Driver) []string {
	var all []string
	for _, d := range drivers {
		all = append(all, d.Name())
	}
	return all
}

func parseOpts(s string) (map[string]string, error) {
	opts := make(map[string]string)
	for item := range strings.SplitSeq(s, ",") {
		if item == "" {
			continue
		}
		k, v, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("-opts %q: want a list of k=v", s)
		}
		opts[k] = v
	}
	return opts, nil
}

// serve carries out commands until quit or the end of input.
func (m *member) serve(ctx context.Context, stdin io.Reader) {
	lines := make(chan string)
	go func() { // ends with stdin, or with the process
		defer close(lines)
		for in := bufio.NewScanner(stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case line, ok := <-lines:
			if !ok || !m.command(strings.Fields(line)) {
				return
			}
		}
	}
}

// command carries out one line; false means quit.
func (m *member) command(words []string) bool {
	if len(words) == 0 {
		return true
	}
	switch words[0] {
	case "members":
		m.emit("members", event{"n": m.node.Others()})
	case "start":
		if err := m.start(words[1:]); err != nil {
			m.emit("started", event{"err": err.Error()})
		} else {
			m.emit("started", nil)
		}
	case "mark":
		m.emit("mark", m.mark())
	case "stop":
		m.stop()
		m.emit("stopped", nil)
	case "quit":
		return false
	default:
		m.emit("error", event{"err": fmt.Sprintf("unknown command %q", words[0])})
	}
	return m.err == nil
}

func (m *member) start(words []string) error {
	if len(words) != 4 {
		return fmt.Errorf("want start KIND SIZE CALLERS DEST")
	}
	if m.load != nil && m.load.running() {
		return fmt.Errorf("a load is running")
	}
	size, err1 := strconv.Atoi(words[1])
	callers, err2 := strconv.Atoi(words[2])
	if err1 != nil || err2 != nil || size < 1 || size > 1<<30 || callers < 1 || callers > 1<<16 {
		return fmt.Errorf("want a SIZE of 1 to 2^30 bytes and 1 to 65536 CALLERS")
	}
	to, err := m.destinations(words[3])
	if err != nil {
		return err
	}
	if m.load == nil {
		m.load = new(load)
	}
	send, err := m.node.Sender(Kind(words[0]), to, func() { m.load.done.Add(1) })
	if err != nil {
		return err
	}
	m.load.start(send, size, callers)
	return nil
}

func (m *member) destinations(dest string) ([]int, error) {
	switch dest {
	case "one":
		return []int{(m.cfg.ID + 1) % m.cfg.N}, nil
	case "all":
		var to []int
		for i := range m.cfg.N {
			if i != m.cfg.ID {
				to = append(to, i)
			}
		}
		return to, nil
	}
	return nil, fmt.Errorf("DEST %q: want one or all", dest)
}

func (m *member) stop() {
	if m.load != nil {
		m.load.stop()
	}
}
