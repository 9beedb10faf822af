package static

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// wire joins services without channels between them, so that a test can stand
// at every place: between two of them, in the name of a third, or behind an
// address translation. It lives in a bubble of testing/synctest. Messages that
// are on their way at the same time arrive in any order.
type wire struct {
	t     testing.TB
	delay time.Duration

	mu    sync.Mutex
	ways  map[netip.AddrPort]receiver // who is reached at an address
	holes map[netip.AddrPort]bool     // addresses that swallow everything
	dead  map[membership.Key]bool     // members that send nothing any more
	ended map[membership.Key]bool     // members whose queue for what nobody waits for is closed
	sent  []parcel
}

// receiver takes what is sent to an address.
type receiver func(m *message.Message)

// parcel is a message that was sent.
type parcel struct {
	from, to *membership.Member
	at       time.Time
	options  message.Options
	payload  []byte
}

const hop = 10 * time.Millisecond

func newWire(t testing.TB) *wire {
	return &wire{t: t, delay: hop, ways: make(map[netip.AddrPort]receiver),
		holes: make(map[netip.AddrPort]bool), dead: make(map[membership.Key]bool), ended: make(map[membership.Key]bool)}
}

func (w *wire) route(addr netip.AddrPort, r receiver) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r == nil {
		delete(w.ways, addr)
		return
	}
	w.ways[addr] = r
}

// swallow makes an address a black hole, or an ordinary one again.
func (w *wire) swallow(addr netip.AddrPort, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holes[addr] = on
}

// holeTimeout is how long a sender tries to connect to a black hole.
const holeTimeout = 2 * time.Second

// send is the channel.SendFunc below every service.
func (w *wire) send(_ context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	w.mu.Lock()
	dead, ended := w.dead[m.Source.Key()], w.ended[m.Source.Key()]
	w.mu.Unlock()
	switch {
	case dead:
		return syscall.ENETDOWN
	case ended && m.Options.Has(message.Async):
		return channel.ErrClosed
	}
	for _, dst := range to {
		w.mu.Lock()
		w.sent = append(w.sent, parcel{m.Source, dst, time.Now(), m.Options, slices.Clone(m.Payload())})
		hole := w.holes[dst.AddrPort()]
		w.mu.Unlock()
		if hole {
			time.AfterFunc(holeTimeout, func() { r.Settle(dst, message.NotSent, message.ErrTimeout) })
			continue
		}
		c := m.Clone()
		time.AfterFunc(w.delay, func() { w.arrive(dst, c, r) })
	}
	return nil
}

func (w *wire) arrive(dst *membership.Member, m *message.Message, r *message.Receipt) {
	w.mu.Lock()
	take := w.ways[dst.AddrPort()]
	w.mu.Unlock()
	if take == nil {
		r.Settle(dst, message.NotSent, syscall.ECONNREFUSED)
		return
	}
	r.Settle(dst, message.Written, nil)
	take(m)
}

// parcels are those that were sent to an address so far.
func (w *wire) parcels(to netip.AddrPort) []parcel {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []parcel
	for _, p := range w.sent {
		if p.to.AddrPort() == to {
			found = append(found, p)
		}
	}
	return found
}

// end is a service on a wire, and its channel.Host.
type end struct {
	*Service
	w     *wire
	local *membership.Member
	up    channel.ReceiveFunc
	pool  message.Pool
	logs  strings.Builder

	mu        sync.Mutex
	events    []membership.Event
	inside    bool // Notify is running
	ended     bool // Stop has returned
	dropped   []string
	passed    []*message.Message
	forgotten []*membership.Member
}

var _ channel.Host = (*end)(nil)

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 4000)
}

// list are the addresses of members first to last, as on a list.
func list(first, last int) (peers []Peer) {
	for i := first; i <= last; i++ {
		peers = append(peers, Peer{Addr: addr(i).String()})
	}
	return peers
}

func newMember(t testing.TB, at netip.AddrPort) *membership.Member {
	t.Helper()
	m, err := membership.New(membership.Attributes{
		Host: at.Addr(), Port: int(at.Port()), SecurePort: membership.NoPort, UDPPort: membership.NoPort,
		ID: membership.NewID(), Payload: "payload of " + at.String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// end makes member i with a new id. It is reachable from now on and not started.
func (w *wire) end(i int, cfg Config) *end {
	w.t.Helper()
	return w.endOf(newMember(w.t, addr(i)), cfg)
}

func (w *wire) endOf(local *membership.Member, cfg Config) *end {
	w.t.Helper()
	s, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	e := &end{Service: s, w: w, local: local}
	if _, err := s.BindDown(e, channel.Down{Send: w.send}); err != nil {
		w.t.Fatal(err)
	}
	e.up = s.BindUp(channel.Up{Receive: e.pass}).Receive
	w.route(local.AddrPort(), e.receive)
	w.t.Cleanup(func() { e.stop() })
	return e
}

func (e *end) receive(m *message.Message) {
	if err := e.up(context.Background(), m); err != nil {
		e.w.t.Errorf("%s: receive: %v", e.local, err)
	}
}

// pass is the layer above the service: like that of package group, it says that
// nobody serves a remote call.
func (e *end) pass(_ context.Context, m *message.Message) error {
	e.mu.Lock()
	e.passed = append(e.passed, m.Clone())
	e.mu.Unlock()
	call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
	if m.Options.Has(message.ByteMessage) || err != nil || call.Reply {
		return nil
	}
	b, err := javaser.AppendRPC(nil, &javaser.RPC{NoChannel: true, UUID: call.UUID, ID: call.ID})
	if err != nil {
		e.w.t.Error(err)
		return nil
	}
	reply := e.NewMessage(len(b))
	defer reply.Release()
	copy(reply.Payload(), b)
	to := []*membership.Member{m.Source}
	return e.w.send(context.Background(), to, reply, message.NewReceipt(1, nil))
}

func (e *end) env(listen, announce bool) membership.Env {
	return membership.Env{Local: e.local, Notify: e.notify, Listen: listen, Announce: announce,
		Logger: slog.New(slog.NewTextHandler(lockedWriter{e}, nil))}
}

type lockedWriter struct{ e *end }

func (l lockedWriter) Write(p []byte) (int, error) {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	return l.e.logs.Write(p)
}

// log is what the service has logged.
func (e *end) log() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.logs.String()
}

func (e *end) start() {
	e.w.t.Helper()
	if err := e.Start(context.Background(), e.env(true, true)); err != nil {
		e.w.t.Fatalf("%s: Start() = %v, want nil", e.local, err)
	}
}

func (e *end) stop() {
	e.w.t.Helper()
	if err := e.Stop(context.Background()); err != nil && !errors.Is(err, syscall.ENETDOWN) {
		e.w.t.Errorf("%s: Stop() = %v", e.local, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
}

// kill takes the member off the wire, without a word.
func (e *end) kill() {
	e.w.mu.Lock()
	e.w.dead[e.local.Key()] = true
	delete(e.w.ways, e.local.AddrPort())
	e.w.mu.Unlock()
	e.stop()
}

func (e *end) notify(ev membership.Event) {
	e.mu.Lock()
	if e.inside {
		e.w.t.Errorf("%s: Notify was called twice at a time", e.local)
	}
	if e.ended {
		e.w.t.Errorf("%s: Notify(%s %s) after Stop", e.local, ev.Kind, ev.Member)
	}
	e.inside = true
	e.events = append(e.events, ev)
	e.mu.Unlock()
	e.View()
	e.mu.Lock()
	e.inside = false
	e.mu.Unlock()
}

// told is what the service has notified, such as "joined 10.0.0.2:4000".
func (e *end) told() (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.events {
		all = append(all, fmt.Sprintf("%s %s", ev.Kind, ev.Member.AddrPort()))
	}
	return all
}

// lastEvent is the last event about m, the zero Event if there is none.
func (e *end) lastEvent(m *membership.Member) (last membership.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.events {
		if ev.Member.Key() == m.Key() {
			last = ev
		}
	}
	return last
}

func (e *end) sees(others ...*end) bool {
	v := e.View()
	if v.Len() != len(others) {
		return false
	}
	for _, o := range others {
		if v.Find(o.local.Key()) == nil {
			return false
		}
	}
	return true
}

// drops are the reasons for which messages were dropped.
func (e *end) drops() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.dropped)
}

func (e *end) forgot() []*membership.Member {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.forgotten)
}

// until waits until ok holds and returns how long that took.
func until(t testing.TB, within time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > within {
			t.Fatalf("%s: not within %v", what, within)
		}
		time.Sleep(time.Millisecond) // of virtual time: nothing else can happen meanwhile
	}
	return time.Since(begin)
}

// The methods of channel.Host.

func (e *end) Local() *membership.Member { return e.local }
func (e *end) Logger() *slog.Logger      { return slog.New(slog.DiscardHandler) }
func (e *end) Pool() *message.Pool       { return &e.pool }

func (e *end) Trace() *channel.Trace {
	return (&channel.Trace{MessageDropped: func(_ string, _ *membership.Member, _ message.ID, reason string) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.dropped = append(e.dropped, reason)
	}}).WithDefaults()
}

func (e *end) NewMessage(size int) *message.Message {
	m := e.pool.New(size)
	m.ID, m.Source = message.NewID(), e.local
	return m
}

func (e *end) Forget(m *membership.Member) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forgotten = append(e.forgotten, m)
}

var errUnused = errors.New("not used by this layer")

func (e *end) Go(string, func(context.Context))                               { panic(errUnused) }
func (e *end) Every(time.Duration, func(context.Context))                     { panic(errUnused) }
func (e *end) Serial(func())                                                  { panic(errUnused) }
func (e *end) OnStart(func(context.Context) error)                            { panic(errUnused) }
func (e *end) OnDrain(func(context.Context))                                  {} // tests call drain
func (e *end) Guard(func(*message.Message) error)                             { panic(errUnused) }
func (e *end) Announce(message.Caps)                                          { panic(errUnused) }
func (e *end) Understands(*membership.Member) message.Caps                    { panic(errUnused) }
func (e *end) Probe(context.Context, *membership.Member, channel.Probe) error { return errUnused }
