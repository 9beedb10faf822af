// Package doctor is the subcommand for people who ask why their members do not
// see each other.
package doctor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
)

const intro = `usage: tribes-demo doctor [flags]

Looks for what keeps members from seeing each other: interfaces, addresses, the
port, the route and the way of multicast datagrams, members that can be heard
and reached, clocks. Flags and environment are those of tribes-demo node: give
those of the member that is in trouble, and stop it if its port is to be tried.

It joins no group. To see whether datagrams come back it sends one, which
members drop with a warning in their log.

Exit status: 0 if a group can form, 1 if not, 2 for wrong usage.

`

// Exit statuses.
const (
	exitGood  = 0
	exitBad   = 1
	exitUsage = 2
)

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
	case len(rest) > 0:
		fmt.Fprintf(stderr, "tribes-demo doctor: unexpected argument %q\n", rest[0])
		return exitUsage
	case listen <= 0:
		fmt.Fprintln(stderr, "tribes-demo doctor: -listen wants a positive duration")
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
	hostname, err := os.Hostname()
	if err != nil {
		d.say(warn, "no host name: %v", err)
	}
	d.addresses(hostname)
	d.port()
	if d.settings.Mcast {
		d.route()
		d.echo(ctx)
		d.members(ctx, listen)
	}
	if len(d.settings.Static) > 0 {
		d.static(ctx)
	}
	d.section("Verdict")
	switch {
	case ctx.Err() != nil:
		d.say(fail, "interrupted: the examination is not complete")
	case d.worst == fail:
		d.say(fail, "a group cannot form like this: see FAIL above")
	case d.worst == warn:
		d.say(fine, "a group can form; see WARN above for what some members may suffer from")
	default:
		d.say(fine, "a group can form")
	}
	if d.worst == fail {
		return exitBad
	}
	return exitGood
}
