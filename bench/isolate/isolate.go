package isolate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/bench/internal/command"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/nio"
)

const usage = `usage: bench isolate [flags]

Measures the rate of acked sends to two healthy members, in turn alone and
beside a sick one: one whose listener sleeps, one that has stopped reading. Each
destination has callers of its own.

`

const (
	loopback = "127.0.0.1"
	healthy  = 2
)

type options struct {
	size, callers, repeats int
	window, sleep, ack     time.Duration
}

// Main carries out the command and returns its exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	return command.Run("bench isolate", stderr, func(ctx context.Context) error {
		var o options
		if err := o.parse(args, stdout); err != nil {
			return err
		}
		return run(ctx, o, stdout)
	})
}

func (o *options) parse(args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("isolate", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.size, "size", 1024, "payload `bytes`")
	fs.IntVar(&o.callers, "callers", 8, "`callers` per destination")
	fs.IntVar(&o.repeats, "repeat", 5, "how `often`; medians count")
	fs.DurationVar(&o.window, "win", 2*time.Second, "`time` of each window")
	fs.DurationVar(&o.sleep, "sleep", time.Second, "how `long` the slow listener sleeps")
	fs.DurationVar(&o.ack, "ack", 2*time.Second, "the sender's ack `timeout`")
	if err := command.Parse(fs, args, stdout, func(w io.Writer) { fmt.Fprint(w, usage) }); err != nil {
		return err
	}
	if o.size < 1 || o.callers < 1 || o.repeats < 1 || o.window <= 0 {
		return command.Usage{Err: errors.New("want positive sizes, callers, repeats and windows")}
	}
	return nil
}

// sick is a kind of sick member.
type sick struct {
	name string
	open func(ctx context.Context, o options) (*membership.Member, func(), error)
}

var sicknesses = []sick{
	{"listener sleeps", openSleeper},
	{"stops reading", openMute},
}

func run(ctx context.Context, o options, out io.Writer) error {
	fmt.Fprintf(out, "%s/%s, %d processors, %s; %d B, %d callers per destination, medians of %d windows of %v\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), o.size, o.callers, o.repeats, o.window)
	fmt.Fprintf(out, "%-16s  %12s  %12s  %6s  %14s  %10s\n", "sick member", "alone/s", "beside/s", "ratio", "longest wait", "heap MiB")
	for _, s := range sicknesses {
		if err := compare(ctx, o, s, out); err != nil {
			return err
		}
	}
	return nil
}

// compare measures windows without and with the sick member, in turn.
func compare(ctx context.Context, o options, s sick, out io.Writer) error {
	sender, to, stop, err := openHealthy(ctx, o)
	if err != nil {
		return err
	}
	defer stop()
	patient, cure, err := s.open(ctx, o)
	if err != nil {
		return err
	}
	defer cure()
	var alone, beside []float64
	var seen outcomes
	var heap uint64
	for range o.repeats {
		alone = append(alone, load(ctx, o, sender, to, nil, &seen))
		beside = append(beside, load(ctx, o, sender, to, patient, &seen))
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		heap = max(heap, mem.HeapInuse)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	a, b := median(alone), median(beside)
	fmt.Fprintf(out, "%-16s  %12.0f  %12.0f  %6.2f  %14v  %10.1f\n", s.name, a, b, b/a,
		time.Duration(seen.longest.Load()).Round(time.Millisecond), float64(heap)/(1<<20))
	fmt.Fprintf(out, "%-16s  outcomes at the sick member: %s\n", "", &seen)
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// outcomes counts what became of the messages to the sick member.
type outcomes struct {
	counts  [message.Unknown + 1]atomic.Uint64
	untyped atomic.Uint64 // errors that say nothing of the destination
	longest atomic.Int64  // ns that a caller waited
}

func (s *outcomes) note(err error, took time.Duration) {
	for old := s.longest.Load(); int64(took) > old && !s.longest.CompareAndSwap(old, int64(took)); old = s.longest.Load() {
	}
	var se *message.SendError
	switch {
	case err == nil:
		s.counts[message.Acknowledged].Add(1)
	case errors.As(err, &se):
		s.counts[se.Results[0].Outcome].Add(1)
	default:
		s.untyped.Add(1)
	}
}

func (s *outcomes) String() string {
	text := ""
	for o := message.Acknowledged; o <= message.Unknown; o++ {
		if n := s.counts[o].Load(); n > 0 {
			text += fmt.Sprintf("%s %d, ", o, n)
		}
	}
	return text + fmt.Sprintf("untyped errors %d", s.untyped.Load())
}

// load runs one window and returns the rate of acked sends to healthy members.
func load(ctx context.Context, o options, g *group.Group, to []*membership.Member, patient *membership.Member, seen *outcomes) float64 {
	window, end := context.WithTimeout(ctx, o.window)
	defer end()
	payload := make([]byte, o.size)
	var done atomic.Uint64
	var callers sync.WaitGroup
	begin := time.Now()
	for _, m := range to {
		for range o.callers {
			callers.Go(func() { // ends with the window
				dest := []*membership.Member{m}
				for window.Err() == nil {
					if _, err := g.Send(ctx, dest, payload, message.Sync); err == nil {
						done.Add(1)
					}
				}
			})
		}
	}
	var sickCallers sync.WaitGroup
	if patient != nil {
		for range o.callers {
			sickCallers.Go(func() { // ends with the window and the answer or timeout of its last send
				dest := []*membership.Member{patient}
				for window.Err() == nil {
					sent := time.Now()
					_, err := g.Send(ctx, dest, payload, message.Sync)
					seen.note(err, time.Since(sent))
				}
			})
		}
	}
	callers.Wait()
	rate := float64(done.Load()) / time.Since(begin).Seconds()
	sickCallers.Wait()
	return rate
}

// openHealthy starts the sender and the healthy members.
func openHealthy(ctx context.Context, o options) (*group.Group, []*membership.Member, func(), error) {
	var all []*group.Group
	stop := func() {
		for _, g := range all {
			g.Close()
			<-g.Done()
		}
	}
	var to []*membership.Member
	for i := range healthy + 1 {
		g, err := open(ctx, nio.SenderConfig{Timeouts: nio.SenderTimeouts{Ack: o.ack}},
			func(context.Context, *message.Message) error { return nil })
		if err != nil {
			stop()
			return nil, nil, nil, err
		}
		all = append(all, g)
		if i > 0 {
			to = append(to, g.Local())
		}
	}
	return all[0], to, stop, nil
}

// open starts a member that knows nobody: the benchmark addresses members
// itself, so that no failure detector takes the sick one away.
func open(ctx context.Context, tx nio.SenderConfig, listen group.ListenerFunc) (*group.Group, error) {
	g, err := group.New(
		group.WithReceiver(nio.ReceiverConfig{Address: loopback, Port: nio.AnyPort}),
		group.WithSender(tx),
		group.WithMembership(nobody{}),
		group.WithInterceptors(),
	)
	if err != nil {
		return nil, err
	}
	g.Listen(listen)
	return g, g.Start(ctx)
}

// nobody is a membership without members.
type nobody struct{}

func (nobody) Start(context.Context, membership.Env) error { return nil }
func (nobody) View() *membership.View                      { return new(membership.View) }
func (nobody) Update(*membership.Member)                   {}
func (nobody) Stop(context.Context) error                  { return nil }

// openSleeper starts a member whose listener sleeps.
func openSleeper(ctx context.Context, o options) (*membership.Member, func(), error) {
	g, err := open(ctx, nio.SenderConfig{}, func(ctx context.Context, _ *message.Message) error {
		t := time.NewTimer(o.sleep)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return g.Local(), func() { g.Close(); <-g.Done() }, nil
}

// openMute starts something that accepts connections and never reads.
func openMute(_ context.Context, _ options) (*membership.Member, func(), error) {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return nil, nil, err
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	m, err := membership.New(membership.Attributes{Host: addr.Addr().Unmap(), Port: int(addr.Port()),
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.NewID()})
	if err != nil {
		return nil, nil, err
	}
	var conns []net.Conn
	done := make(chan struct{})
	go func() { // ends when the listener is closed
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	}()
	return m, func() {
		l.Close()
		<-done
		for _, c := range conns {
			c.Close()
		}
	}, nil
}
