package interceptor

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/nio"
)

// told is a membership that reports what the test says.
type told struct {
	mu    sync.Mutex
	env   membership.Env
	table membership.Table
}

func (s *told) Start(_ context.Context, env membership.Env) error { s.env = env; return nil }
func (s *told) View() *membership.View                            { return s.table.View() }
func (s *told) Update(*membership.Member)                         {}
func (s *told) Stop(context.Context) error                        { return nil }

func (s *told) join(t *testing.T, m *membership.Member) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ev, changed, err := s.table.Heard(m, time.Now())
	if err != nil || !changed {
		t.Fatalf("Heard(%s) = %t, %v", m, changed, err)
	}
	s.env.Notify(ev)
}

func (s *told) lose(t *testing.T, m *membership.Member) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ev, changed := s.table.Remove(membership.Failed, m, time.Now())
	if !changed {
		t.Fatalf("Remove(%s) changed nothing", m)
	}
	s.env.Notify(ev)
}

// tcpNode is a channel over real sockets on the loopback interface.
type tcpNode struct {
	*channel.Channel
	members *told
	d       *TCPFailureDetector
	events  chan membership.Event
	probes  chan error
	got     chan int // sizes of the messages that reached the application
}

func newTCPNode(t *testing.T, d *TCPFailureDetector) *tcpNode {
	t.Helper()
	n := &tcpNode{members: new(told), d: d, events: make(chan membership.Event, 100),
		probes: make(chan error, 1000), got: make(chan int, 100)}
	sender, err := nio.NewSender(nio.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := nio.NewReceiver(nio.ReceiverConfig{Address: "127.0.0.1", Port: nio.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	n.Channel, err = channel.New(channel.Config{
		Sender: sender, Receiver: receiver, Membership: n.members,
		Interceptors: []channel.Interceptor{d},
		Trace: &channel.Trace{
			MemberEvent: func(ev membership.Event) { n.events <- ev },
			Probe:       func(_ *membership.Member, _ channel.ProbeKind, _ time.Duration, err error) { n.probes <- err },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		n.got <- m.Len()
		return nil
	}))
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Errorf("Stop = %v, want nil", err)
		}
	})
	return n
}

// next waits for the next event.
func (n *tcpNode) next(t *testing.T, kind membership.Kind, m *membership.Member) {
	t.Helper()
	select {
	case ev := <-n.events:
		if ev.Kind != kind || ev.Member.Key() != m.Key() {
			t.Fatalf("event %s %s, want %s %s", ev.Kind, ev.Member, kind, m)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no event in 20 s, want %s %s", kind, m)
	}
}

// The kernel of a process that hangs accepts connections and takes bytes; only
// the read test finds out. Here a listener that never accepts plays it.
func TestHungProcessIsFoundOverRealSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := newTCPNode(t, &TCPFailureDetector{ReadTimeout: 200 * time.Millisecond})
	m := interceptortest.MemberAt(netip.MustParseAddrPort(l.Addr().String()), 2)
	n.members.join(t, m)
	n.next(t, membership.Joined, m)
	n.members.lose(t, m)
	begin := time.Now()
	n.next(t, membership.Failed, m)
	if took := time.Since(begin); took < 150*time.Millisecond {
		t.Errorf("it failed after %v, want the read timeout of 200 ms to pass", took)
	}
}

// A member that lives and is not heard answers the read test; its detector
// keeps the probes from its application.
func TestSilentProcessIsKeptOverRealSockets(t *testing.T) {
	peer := newTCPNode(t, new(TCPFailureDetector))
	n := newTCPNode(t, &TCPFailureDetector{CheckPeriod: 20 * time.Millisecond})
	m := peer.Local()
	n.members.join(t, m)
	n.next(t, membership.Joined, m)
	n.members.lose(t, m)
	for range 5 {
		if err := <-n.probes; err != nil {
			t.Errorf("probe of a member that lives = %v, want nil", err)
		}
	}
	if st := n.d.Stats(); st.Missed != 0 || st.Suspects != 1 {
		t.Errorf("Stats() = %+v, want one suspect and no missed probe", st)
	}
	if len(n.events) != 0 || len(peer.got) != 0 {
		t.Errorf("%d events and %d messages at the application, want none", len(n.events), len(peer.got))
	}
	if err := peer.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	n.next(t, membership.Failed, m)
}
