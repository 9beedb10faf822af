package channel_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// journal is what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// take returns the lines and begins a new page.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// bottom is all that is below the layers of a channel under test: a sender that
// asks a function what becomes of a message, and a receiver and a membership
// that the test drives.
type bottom struct {
	journal
	sender     *fakeSender
	receiver   *fakeReceiver
	membership *fakeMembership
}

func newBottom() *bottom {
	b := new(bottom)
	b.sender = &fakeSender{b: b}
	b.receiver = &fakeReceiver{b: b}
	b.membership = &fakeMembership{b: b}
	return b
}

// config is for a channel over b.
func (b *bottom) config() channel.Config {
	return channel.Config{Sender: b.sender, Receiver: b.receiver, Membership: b.membership}
}

// start makes a channel and starts it; it is stopped when the test has ended.
func start(t *testing.T, cfg channel.Config) *channel.Channel {
	t.Helper()
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-c.Done(): // the test has stopped it
		default:
			stop(t, c)
		}
	})
	return c
}

func stop(t *testing.T, c *channel.Channel) {
	t.Helper()
	if err := c.Stop(context.Background()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

type fakeSender struct {
	b *bottom

	startErr error
	onStart  func(ctx context.Context) error
	// onSend decides; nil acknowledges at once.
	onSend func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error
	onStop func(ctx context.Context)

	env channel.Env
}

func (s *fakeSender) Start(ctx context.Context, env channel.Env) error {
	s.env = env
	s.b.add("sender starts")
	if s.onStart != nil {
		return s.onStart(ctx)
	}
	return s.startErr
}

func (s *fakeSender) Send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	if s.onSend != nil {
		return s.onSend(ctx, to, m, r)
	}
	r.SettleAll(to, message.Acknowledged, nil)
	return nil
}

func (s *fakeSender) Probe(_ context.Context, m *membership.Member, p channel.Probe) error {
	s.b.add("probe " + p.Kind.String() + " " + m.Payload())
	return nil
}

func (s *fakeSender) Forget(m *membership.Member)  { s.b.add("forget " + m.Payload()) }
func (s *fakeSender) Prepare(m *membership.Member) { s.b.add("prepare " + m.Payload()) }

func (s *fakeSender) Stop(ctx context.Context) error {
	s.b.add("sender stops")
	if s.onStop != nil {
		s.onStop(ctx)
	}
	return nil
}

type fakeReceiver struct {
	b          *bottom
	startErr   error
	stopErr    error
	noAddress  bool
	env        channel.Env
	deliveries sync.WaitGroup
}

var here = netip.MustParseAddr("10.1.2.3")

func (r *fakeReceiver) Start(_ context.Context, env channel.Env) (channel.Bound, error) {
	r.env = env
	r.b.add("receiver starts")
	if r.startErr != nil {
		return channel.Bound{}, r.startErr
	}
	if r.noAddress {
		return channel.Bound{}, nil
	}
	return channel.Bound{Host: here, Port: 4321, SecurePort: 4322, UDPPort: membership.NoPort}, nil
}

func (r *fakeReceiver) Stop(context.Context) error {
	r.b.add("receiver stops")
	r.deliveries.Wait()
	return r.stopErr
}

// deliver brings a message from a member.
func (r *fakeReceiver) deliver(from *membership.Member, payload string) error {
	r.deliveries.Add(1)
	defer r.deliveries.Done()
	m := r.env.Pool.New(len(payload))
	defer m.Release()
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Options = message.NewID(), from, message.ByteMessage
	return r.env.Deliver(context.Background(), m)
}

type fakeMembership struct {
	b        *bottom
	startErr error
	onStart  func()

	mu      sync.Mutex
	env     membership.Env
	members []*membership.Member
	seq     uint64
	updates []*membership.Member
}

func (s *fakeMembership) Start(_ context.Context, env membership.Env) error {
	s.mu.Lock()
	s.env = env
	s.mu.Unlock()
	s.b.add("membership starts")
	if s.onStart != nil {
		s.onStart()
	}
	return s.startErr
}

func (s *fakeMembership) View() *membership.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &membership.View{Seq: s.seq, Members: slices.Clone(s.members)}
}

func (s *fakeMembership) Update(m *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates = append(s.updates, m)
}

func (s *fakeMembership) Stop(context.Context) error {
	s.b.add("membership stops")
	return nil
}

// happen changes the view and tells of it.
func (s *fakeMembership) happen(kind membership.Kind, m *membership.Member) {
	s.mu.Lock()
	s.members = slices.DeleteFunc(s.members, func(x *membership.Member) bool { return x.Key() == m.Key() })
	if kind == membership.Joined || kind == membership.Updated {
		s.members = append(s.members, m)
	}
	s.seq++
	notify := s.env.Notify
	s.mu.Unlock()
	notify(membership.Event{Kind: kind, Member: m, At: time.Now()})
}

// named makes a member whose payload is its name. The one that is first in the
// alphabet is the oldest.
func named(t testing.TB, name string) *membership.Member {
	t.Helper()
	m, err := membership.New(membership.Attributes{
		Host:       netip.AddrFrom4([4]byte{10, 0, 0, name[0]}),
		Port:       4000,
		SecurePort: membership.NoPort,
		UDPPort:    membership.NoPort,
		ID:         membership.ID{name[0]},
		Payload:    name,
		Alive:      1000 * int64(256-int(name[0])),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// listen is a listener for tests: a function of the payload.
func listen(f func(payload string) error) channel.Listener {
	return channel.ListenerFunc(func(_ context.Context, m *message.Message) error { return f(string(m.Payload())) })
}
