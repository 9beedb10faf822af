//go:build interop

package interop

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/nio"
)

// loopback is the address of all nodes.
const loopback = "127.0.0.1"

// Names of the events of a member of this module.
const (
	eventJoined  = "joined"
	eventLeft    = "left"
	eventFailed  = "failed"
	eventUpdated = "updated"
	eventProbed  = "probed" // a probe has ended; Error is empty if it reached the member
)

var eventNames = map[membership.Kind]string{
	group.Joined: eventJoined, group.Left: eventLeft, group.Failed: eventFailed, group.Updated: eventUpdated,
}

// goConfig says how a member of this module is set up. What has the name of a field of peerConfig means the same and
// has the same default.
type goConfig struct {
	Group     string
	Port      int // any free one by default
	UDPPort   int // no UDP by default
	Frequency time.Duration
	Drop      time.Duration
	Messages  mcast.Messages // which messages by multicast are taken; none by default
	Poller    nio.Poller

	Layers  []channel.Interceptor `json:"-"` // nearest the application first; dispatch and detector by default
	Logger  *slog.Logger          `json:"-"`
	Options []group.Option        `json:"-"` // more of them
}

// options turns c into those of a group.
func (c goConfig) options() ([]group.Option, error) {
	options := []group.Option{
		group.WithBind(loopback),
		group.WithReceiver(nio.ReceiverConfig{Port: orDefault(c.Port, nio.AnyPort), PortTries: 1, UDPPort: c.UDPPort, Poller: c.Poller}),
		group.WithLogger(c.Logger),
	}
	if c.Group != "" {
		g, err := netip.ParseAddrPort(c.Group)
		if err != nil {
			return nil, err
		}
		options = append(options, group.WithMulticast(mcast.Config{
			Address:   g.Addr(),
			Port:      int(g.Port()),
			Interface: loopback,
			Frequency: orDefault(c.Frequency, 100*time.Millisecond),
			DropTime:  orDefault(c.Drop, 1500*time.Millisecond),
			Messages:  c.Messages,
		}))
	}
	if c.Layers != nil {
		options = append(options, group.WithInterceptors(c.Layers...))
	}
	return append(options, c.Options...), nil
}

// orDefault is v, or d if v is zero.
func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// goMember is a running member of this module, together with what a test wants to know of it. It knows nothing of
// tests, so that it can also be the node of a process of its own.
type goMember struct {
	group    *group.Group
	inbox    *inbox // membership events and probes
	recorder *recorder

	mu      sync.Mutex
	retries map[message.ID]int // how often a message was written again
}

// openMember starts a member. The caller stops its group.
func openMember(ctx context.Context, c goConfig) (*goMember, error) {
	g := &goMember{inbox: newInbox(), recorder: newRecorder(), retries: make(map[message.ID]int)}
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	trace := group.WithTrace(&channel.Trace{Retry: g.noteRetry, Probe: g.noteProbe})
	if g.group, err = group.New(append(options, trace)...); err != nil {
		return nil, err
	}
	g.group.Listen(g.recorder)
	g.group.Watch(group.MembershipListenerFunc(func(_ context.Context, ev group.Event) { g.inbox.add(memberEvent(ev)) }))
	if err := g.group.Start(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *goMember) noteRetry(_ *membership.Member, id message.ID, _ error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retries[id]++
}

func (g *goMember) noteProbe(to *membership.Member, kind channel.ProbeKind, took time.Duration, err error) {
	addr, id := identityOf(to)
	e := event{Name: eventProbed, Time: time.Now().UnixMilli(), Member: addr, ID: id, Kind: kind.String(), Micros: took.Microseconds()}
	if err != nil {
		e.Error = err.Error()
	}
	g.inbox.add(e)
}

// identity is who the member is to others.
func (g *goMember) identity() (addr, id string) { return identityOf(g.group.Local()) }

func identityOf(m *membership.Member) (addr, id string) {
	return m.AddrPort().String(), m.ID().String()
}

// memberEvent is ev, of which the application is told now, in the form of nodes' events.
func memberEvent(ev group.Event) event {
	m := ev.Member
	addr, id := identityOf(m)
	return event{
		Name: eventNames[ev.Kind], Time: time.Now().UnixMilli(), Member: addr, ID: id,
		Alive: m.Alive().Milliseconds(), UDPPort: m.UDPPort(), SecurePort: m.SecurePort(),
		Domain: hexOf(m.Domain()), Payload: hexOf(m.Payload()), Command: hexOf(m.Command()),
	}
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

// addresses are those of the members that are seen now.
func (g *goMember) addresses() []string {
	var all []string
	for _, m := range g.group.View().Members {
		all = append(all, m.AddrPort().String())
	}
	return all
}

// destinations finds the members that to means: "all", an address or an id.
func (g *goMember) destinations(to string) ([]*membership.Member, error) {
	members := g.group.View().Members
	if to == "all" {
		return members, nil
	}
	for _, m := range members {
		if addr, id := identityOf(m); to == addr || to == id {
			return []*membership.Member{m}, nil
		}
	}
	return nil, fmt.Errorf("no member %s", to)
}

// retried is how often a message was written again.
func (g *goMember) retried(id message.ID) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.retries[id]
}

// goBulk is a series on its way, and afterwards what became of it.
type goBulk struct {
	bulkSend
	to   []*membership.Member
	took time.Duration
	ids  []message.ID  // by index
	errs []error       // by index; nil for a success
	more map[int]int   // by index: how often the message was written again
	next chan int      // indexes that are due
	open chan struct{} // one value for each message that was posted and is settled
}

// bulk sends the series that b describes and waits for the outcome of each message. Queued messages are posted by one
// goroutine and settled by callback; others are sent by as many as b says.
func (g *goMember) bulk(ctx context.Context, b bulkSend) (*goBulk, error) {
	to, err := g.destinations(b.To)
	if err != nil {
		return nil, err
	}
	s := &goBulk{
		bulkSend: b, to: to, ids: make([]message.ID, b.Count), errs: make([]error, b.Count), more: make(map[int]int),
		next: make(chan int), open: make(chan struct{}, b.Count),
	}
	start := time.Now()
	var callers sync.WaitGroup
	for range max(b.Threads, 1) {
		callers.Go(func() { s.call(ctx, g.group) }) // ends when next is closed
	}
	err = s.pace(ctx)
	close(s.next)
	callers.Wait()
	if err == nil {
		err = s.settled(ctx)
	}
	s.took = time.Since(start)
	for i, id := range s.ids {
		if n := g.retried(id); n > 0 {
			s.more[i] = n
		}
	}
	return s, err
}

// pace hands out the indexes, each when it is due.
func (s *goBulk) pace(ctx context.Context) error {
	start := time.Now()
	due := time.NewTimer(0)
	defer due.Stop()
	for i := range s.Count {
		if s.Rate > 0 {
			due.Reset(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(s.Rate))))
			select {
			case <-due.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		select {
		case s.next <- i:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// call sends what is due until there is no more.
func (s *goBulk) call(ctx context.Context, g *group.Group) {
	options := message.Options(s.Options)
	for i := range s.next {
		payload := s.Series.message(i)
		if !options.Has(message.Async) {
			s.ids[i], s.errs[i] = g.Send(ctx, s.to, payload, options)
			s.open <- struct{}{}
			continue
		}
		var err error
		s.ids[i], err = g.Post(ctx, s.to, payload, options, func(_ message.ID, err error) {
			s.errs[i] = err
			s.open <- struct{}{}
		})
		if err != nil {
			s.errs[i] = err
			s.open <- struct{}{}
		}
	}
}

// settled waits until each message has its outcome.
func (s *goBulk) settled(ctx context.Context) error {
	for range s.Count {
		select {
		case <-s.open:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// failures are the messages that did not succeed everywhere, by index.
func (s *goBulk) failures() map[int]error {
	m := make(map[int]error)
	for i, err := range s.errs {
		if err != nil {
			m[i] = err
		}
	}
	return m
}

// faulty lists where a send that gave err was not acknowledged, each as "address cause" in the form of Java nodes.
func faulty(err error) []string {
	var sent *message.SendError
	if !errors.As(err, &sent) {
		return nil
	}
	var all []string
	for _, r := range sent.Results {
		if !r.Outcome.OK() {
			all = append(all, fmt.Sprintf("%s %v: %v", r.Member.AddrPort(), r.Outcome, r.Err))
		}
	}
	return all
}

// retriedIDs are the ids of the messages that were written more than once.
func (s *goBulk) retriedIDs() map[string]bool {
	ids := make(map[string]bool)
	for i := range s.more {
		ids[s.ids[i].String()] = true
	}
	return ids
}
