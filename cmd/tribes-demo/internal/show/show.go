// Package show is what tribes-demo does without a subcommand: a live group of
// three member processes, of which one is killed and comes back.
package show

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/doctor"
)

const usage = `usage: tribes-demo [-for DURATION] [-mcast-port PORT]
       tribes-demo SUBCOMMAND [flags]

Runs three member processes on the loopback interface that find each other and
talk. Every now and then one of them is killed and comes back. Other members,
a real Tomcat among them, can join the same group while it runs. Ctrl-C ends it.

Subcommands, each with -h for more:

  node      one member that a script drives, with a status page if asked for
  web       a shopping cart in HTTP sessions, one node or several behind a proxy
  store     holds sessions in memory for web nodes that hold none
  doctor    says why members do not see each other
  config    prints every setting of a member with its effective value
  decode    turns bytes off the wire into JSON
  schema    prints the SQL of the table for sessions in a database
  version   prints the version
  help      this, or help SUBCOMMAND

Exit status: 0 after a clean end, 1 if the group did not form or a member ended
by itself, 2 for wrong usage.

`

const (
	members   = 3
	firstPort = 4000

	tick      = time.Second
	calm      = 6 * time.Second  // from a whole group to the kill
	mourning  = 5 * time.Second  // from the kill to the return
	patience  = 10 * time.Second // for a group to form
	stopLimit = 6 * time.Second  // for all processes to leave

	load = "bench chatter 1000000000 200 sync 250 *" // per member
)

// Options of the demo.
type options struct {
	length    time.Duration
	mcastPort int
}

// Run carries out the demo until ctx ends or the time is over, and returns the
// exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("tribes-demo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.DurationVar(&o.length, "for", 0, "end after this `time`; 0 runs until interrupted")
	fs.IntVar(&o.mcastPort, "mcast-port", 45564, "multicast `port` of the group")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "tribes-demo:", err)
		return 2
	case fs.NArg() > 0:
		fmt.Fprintln(stderr, "tribes-demo:", wrongArgument(args, fs.Arg(0)))
		return 2
	case o.length < 0 || o.mcastPort < 1 || o.mcastPort > 65535:
		fmt.Fprintln(stderr, "tribes-demo: -for wants a positive duration, -mcast-port 1 to 65535")
		return 2
	}
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	d := &demo{options: o, out: &display{w: stdout}, notes: make(chan note)}
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(stderr, "tribes-demo:", err)
		return 1
	}
	return 0
}

// wrongArgument says what is wrong with arg, the first argument that is no flag.
func wrongArgument(args []string, arg string) string {
	if arg != args[0] {
		return fmt.Sprintf("unexpected argument %q; a subcommand comes first", arg)
	}
	return fmt.Sprintf("unknown subcommand %q: want node, web, store, doctor, config, decode, schema, version or help", arg)
}

// demo is the group and what is known of it. One goroutine owns it.
type demo struct {
	options
	out     *display
	notes   chan note
	readers sync.WaitGroup

	place    placement
	children [members]*child
	seen     [members]counts
	whole    bool // all members see all others
	formed   bool // they did at least once
	began    time.Time
	killed   time.Time
	detected int // survivors that have dropped the killed member
	next     time.Time
	victim   int
}

// counts are the last counters of one member.
type counts struct {
	members, received, acked, failed uint64
	rate, ackRate                    uint64
}

func (d *demo) run(ctx context.Context) error {
	var err error
	if d.place, err = findPlace(ctx, d.mcastPort, doctor.Echo); err != nil {
		return err
	}
	d.out.say("%s", d.place.text)
	d.began = time.Now()
	defer d.stop()
	for i := range d.children {
		if err := d.startMember(i); err != nil {
			return err
		}
	}
	return d.loop(ctx)
}

func (d *demo) startMember(i int) error {
	name := string(rune('A' + i))
	c, err := start(name, d.place.env(i, name), d.notes, &d.readers)
	if err == nil {
		c.addr = d.place.addr(i)
		d.children[i] = c
		d.seen[i] = counts{}
	}
	return err
}

// loop is the demo's one goroutine: it hears the members and acts on the clock.
func (d *demo) loop(ctx context.Context) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			d.out.say("ending")
			if !d.formed && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("no group within %v; tribes-demo doctor tells more", d.length)
			}
			return nil
		case n := <-d.notes:
			if err := d.hear(n); err != nil {
				return err
			}
		case now := <-t.C:
			d.status()
			if err := d.act(now); err != nil {
				return err
			}
		}
	}
}

// act kills or brings back a member when it is time, and gives up on a group
// that does not form.
func (d *demo) act(now time.Time) error {
	switch {
	case !d.whole && d.killed.IsZero() && now.Sub(d.began) > patience:
		return fmt.Errorf("no group within %v; tribes-demo doctor tells more", patience)
	case d.next.IsZero() || now.Before(d.next):
		return nil
	case d.killed.IsZero():
		return d.killMember(now)
	}
	d.next = time.Time{}
	d.killed = time.Time{}
	d.began = time.Now()
	d.out.say("member %c comes back", 'A'+d.victim)
	return d.startMember(d.victim)
}

func (d *demo) killMember(now time.Time) error {
	d.victim = (d.victim + 1) % members
	c := d.children[d.victim]
	d.out.say("member %s (%s) is killed: SIGKILL, no goodbye", c.name, c.addr)
	d.whole, d.killed, d.detected = false, time.Now(), 0
	d.next = now.Add(mourning)
	return c.kill()
}

// stop ends all members in order and waits; the slow ones are killed.
func (d *demo) stop() {
	for _, c := range d.children {
		if c != nil {
			c.command("stop")
			c.stdin.Close()
		}
	}
	done := make(chan struct{})
	go func() { // ends when all readers have
		d.readers.Wait()
		close(done)
	}()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	for {
		select {
		case <-done:
			d.out.say("all members have left")
			return
		case <-d.notes:
		case <-limit.C:
			for _, c := range d.children {
				if c != nil {
					c.cmd.Process.Kill()
				}
			}
		}
	}
}
