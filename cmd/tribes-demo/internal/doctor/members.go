package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/message"
)

// maxDial bounds the try to reach one member.
const maxDial = time.Second

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
	if err := svc.Stop(ctx); err != nil && ctx.Err() == nil {
		d.say(warn, "%v", err)
	}
	if view.Len() == 0 && ctx.Err() == nil {
		d.say(note, "none")
		d.advise("if there are some elsewhere: look for another group or port (-mcast-addr, -mcast-port), for firewalls that drop UDP port %d, for switches that do not carry multicast", d.group.Port())
	}
	reached := 0
	for _, m := range view.Members {
		d.say(fine, "%s  id %s  domain %q  alive %v", m.AddrPort(), m.ID(), m.Domain(), m.Alive().Round(time.Second))
		d.compare(m)
		if d.reach(ctx, m.AddrPort().String()) == nil {
			reached++
		}
	}
	if view.Len() > 0 && reached == 0 && ctx.Err() == nil {
		d.say(fail, "members are heard and none can be connected to: they and this one could exchange no message")
	}
	d.clocks(frames)
}

// compare looks for what keeps a member that is heard from being seen.
func (d *doctor) compare(m *membership.Member) {
	if slices.Contains(d.settings.Stack, "domain") && m.Domain() != d.settings.Domain {
		d.say(warn, "  its domain is %q and the one here %q: the domain layer hides it", m.Domain(), d.settings.Domain)
		d.advise("give both the same -domain, or leave domain out of -stack")
	}
	if !d.settings.ID.IsZero() && m.ID() == d.settings.ID {
		d.say(warn, "  it has the id that was given for this one: two members with one id do not see each other")
		d.advise("leave -id out, or stop the other one")
	}
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
			case frames <- frameStamp{m.Source, m.SentTime().Sub(d.settings.Now())}:
			default: // enough of them
			}
			return nil
		},
	})
	return svc, svc.Start(ctx, membership.Env{Local: local, Listen: true, Logger: log,
		Notify: func(membership.Event) {}})
}

// reach tries a TCP connection to HOST:PORT and says why there is none.
func (d *doctor) reach(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, maxDial)
	defer cancel()
	begin := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err == nil {
		c.Close()
		d.say(fine, "  accepts connections, after %v", time.Since(begin).Round(time.Microsecond))
		return nil
	}
	d.say(warn, "  cannot connect to it: %v", err)
	_, port, _ := net.SplitHostPort(addr) // checked by package settings, or made by AddrPort
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &name):
		d.advise("the name is wrong, or the name service has not got it yet")
	case errors.Is(err, syscall.ECONNREFUSED):
		d.advise("no member runs there now, or a firewall rejects TCP port %s", port)
	case errors.As(err, &timeout) && timeout.Timeout():
		d.advise("a firewall drops TCP port %s, or that address belongs to nobody who can be reached from here", port)
	default:
		d.advise("no way leads to that address from here: look at routes, and at what the member advertises")
	}
	return err
}

// static tries to reach the members on the list. That one is not there yet is no
// failure.
func (d *doctor) static(ctx context.Context) {
	d.section("Static members")
	others, blocked := 0, 0
	for _, p := range d.settings.Static {
		if p.Addr == net.JoinHostPort(d.settings.Bind, fmt.Sprint(d.settings.Port)) {
			d.say(note, "%s is this member itself", p.Addr)
			continue
		}
		others++
		d.say(note, "%s", p.Addr)
		if err := d.reach(ctx, p.Addr); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			blocked++
		}
	}
	if others > 0 && blocked == others && ctx.Err() == nil {
		d.say(fail, "no member on the list can be reached")
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
