// Package doctor is the subcommand for people who ask why their members do not
// see each other.
package doctor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/message"
)

const intro = `usage: tribes-demo doctor [flags]

Looks for what keeps members from seeing each other: interfaces, the route and
the way of multicast datagrams, ports, addresses, members that can be heard and
reached, clocks. Flags and environment are those of tribes-demo node.

Exit status: 0 if a group can form, 1 if not, 2 for wrong usage.

`

// Exit statuses.
const (
	exitGood  = 0
	exitBad   = 1
	exitUsage = 2
)

// maxDial bounds the try to reach one member.
const maxDial = time.Second

type doctor struct {
	*report
	settings *settings.Settings
	bind     netip.Addr
	group    netip.AddrPort
}

// Run carries out the subcommand and returns its exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	listen := 5 * time.Second
	s, rest, err := settings.Parse("doctor", args, os.Getenv, settings.Help(stdout, intro), func(fs *flag.FlagSet) {
		fs.DurationVar(&listen, "listen", listen, "how `long` to listen for members")
	})
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitGood
	case err != nil:
		fmt.Fprintln(stderr, "tribes-demo doctor:", err)
		return exitUsage
	case len(rest) > 0 || listen <= 0:
		fmt.Fprintln(stderr, "tribes-demo doctor: want flags alone, and a positive -listen")
		return exitUsage
	}
	d := &doctor{
		report:   &report{w: stdout},
		settings: s,
		bind:     netip.MustParseAddr(s.Bind),
		group:    netip.AddrPortFrom(netip.MustParseAddr(s.McastAddr), uint16(s.McastPort)),
	}
	return d.run(ctx, listen)
}

func (d *doctor) run(ctx context.Context, listen time.Duration) int {
	d.interfaces()
	if d.settings.Mcast {
		d.route()
		d.echo(ctx)
	}
	d.port()
	hostname, err := os.Hostname()
	if err != nil {
		d.say(warn, "no host name: %v", err)
	}
	d.addresses(hostname)
	if d.settings.Mcast {
		d.members(ctx, listen)
	}
	if len(d.settings.Static) > 0 {
		d.static(ctx)
	}
	d.section("Verdict")
	if d.worst == fail {
		d.say(fail, "a group cannot form like this")
		return exitBad
	}
	d.say(fine, "a group can form")
	return exitGood
}

// frameStamp is how far the clock of a member is ahead of the one here.
type frameStamp struct {
	from   *membership.Member
	offset time.Duration
}

// members listens to the group for a while, then tries to reach who was heard.
func (d *doctor) members(ctx context.Context, listen time.Duration) {
	d.section(fmt.Sprintf("Members heard in %v", listen))
	frames := make(chan frameStamp, 1024)
	svc, err := d.listen(ctx, frames)
	if err != nil {
		d.say(fail, "cannot listen to %s: %v", d.group, err)
		return
	}
	t := time.NewTimer(listen)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	view := svc.View()
	if err := svc.Stop(ctx); err != nil {
		d.say(warn, "%v", err)
	}
	if view.Len() == 0 {
		d.say(note, "none")
	}
	for _, m := range view.Members {
		d.say(fine, "%s  id %s  domain %q  alive %v", m.AddrPort(), m.ID(), m.Domain(), m.Alive().Round(time.Second))
		d.reach(ctx, m.AddrPort())
	}
	d.clocks(frames)
}

// listen hears the group without announcing anything.
func (d *doctor) listen(ctx context.Context, frames chan<- frameStamp) (*mcast.Service, error) {
	svc, err := mcast.New(member.Multicast(d.settings))
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	local, err := membership.New(membership.Attributes{Host: d.bind, Port: d.settings.Port,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.NewID()})
	if err != nil {
		return nil, err
	}
	svc.Open(channel.Env{
		Local:  func() *membership.Member { return local },
		Pool:   new(message.Pool),
		Logger: log,
		Trace:  new(channel.Trace).WithDefaults(),
		Deliver: func(_ context.Context, m *message.Message) error {
			select {
			case frames <- frameStamp{m.Source, time.Until(m.SentTime())}:
			default: // enough of them
			}
			return nil
		},
	})
	return svc, svc.Start(ctx, membership.Env{Local: local, Listen: true, Logger: log,
		Notify: func(membership.Event) {}})
}

// reach tries a TCP connection.
func (d *doctor) reach(ctx context.Context, addr netip.AddrPort) {
	ctx, cancel := context.WithTimeout(ctx, maxDial)
	defer cancel()
	begin := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
	if err != nil {
		d.say(warn, "  cannot connect to it: %v", err)
		d.advise("look for firewalls, and for an advertised address that is not reachable from here")
		return
	}
	c.Close()
	d.say(fine, "  accepts connections, after %v", time.Since(begin).Round(time.Microsecond))
}

// static tries to reach the members on the list.
func (d *doctor) static(ctx context.Context) {
	d.section("Static members")
	for _, p := range d.settings.Static {
		d.say(note, "%s", p.Addr)
		d.reach(ctx, p.Addr)
	}
}

// clocks compares the stamps of messages that came by with the clock here.
func (d *doctor) clocks(frames <-chan frameStamp) {
	d.section("Clocks")
	latest := make(map[membership.Key]frameStamp)
	for {
		select {
		case f := <-frames:
			latest[f.from.Key()] = f
			continue
		default:
		}
		break
	}
	if len(latest) == 0 {
		d.say(note, "no message was heard on the group, and heartbeats do not tell the time")
	}
	for _, f := range latest {
		v := fine
		if f.offset.Abs() > time.Second {
			v = warn
		}
		d.say(v, "%s differs by %v; only time stamps of messages depend on it", f.from.AddrPort(), f.offset.Round(time.Millisecond))
	}
}
