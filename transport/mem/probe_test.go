package mem_test

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// probing is a node that is driven without a channel.
type probing struct {
	*mem.Node
	local *membership.Member
	pool  message.Pool
	got   chan *message.Message
	fail  error // of its listener
}

func newProbing(t *testing.T, n *mem.Network, host string) *probing {
	t.Helper()
	p := &probing{Node: n.Node(host), got: make(chan *message.Message, 10)}
	var err error
	p.local, err = membership.New(membership.Attributes{Host: p.Addr().Addr(), Port: int(p.Addr().Port()), UDPPort: -1, SecurePort: -1, ID: membership.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	var trace *channel.Trace
	env := channel.Env{Local: func() *membership.Member { return p.local }, Pool: &p.pool, Trace: trace.WithDefaults()}
	env.Deliver = func(_ context.Context, m *message.Message) error { p.got <- m.Clone(); return p.fail }
	if _, err := p.Receiver.Start(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	env.Fault = func(_ *membership.Member, _ message.ID, err error) {
		t.Errorf("a probe was reported as a fault: %v", err)
	}
	if err := p.Sender.Start(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Sender.Stop(context.Background()), p.Receiver.Stop(context.Background())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return p
}

// probe asks whether there is a way to m.
func (p *probing) probe(t *testing.T, m *membership.Member, kind channel.ProbeKind, o message.Options) error {
	t.Helper()
	msg := p.pool.New(10)
	defer msg.Release()
	msg.ID, msg.Source, msg.Options = message.NewID(), p.local, o
	return p.Sender.Probe(t.Context(), m, channel.Probe{Kind: kind, Message: msg, Connect: time.Second, Read: 2 * time.Second})
}

func TestProbe(t *testing.T) {
	const connect, write, read = channel.ProbeConnect, channel.ProbeWrite, channel.ProbeRead
	slow := func(n *mem.Network) { n.SetLinks(mem.Link{Delay: 100 * time.Millisecond}) }
	cutBack := func(n *mem.Network) { n.Cut("b", "a") }
	// The link breaks after the connection was made, at 200 ms.
	later := func(n *mem.Network) {
		slow(n)
		time.AfterFunc(250*time.Millisecond, func() { n.Isolate("b") })
	}
	tests := []struct {
		name  string
		fault func(n *mem.Network)
		kind  channel.ProbeKind
		err   error
		took  time.Duration
		got   int
	}{
		{"connect", slow, connect, nil, 200 * time.Millisecond, 0},
		{"write", slow, write, nil, 200 * time.Millisecond, 1},
		{"read", slow, read, nil, 400 * time.Millisecond, 1},
		{"connect, cut", cutBack, connect, message.ErrTimeout, time.Second, 0},
		{"write, cut", cutBack, write, message.ErrTimeout, time.Second, 0},
		{"read, cut later", later, read, message.ErrTimeout, 2200 * time.Millisecond, 0},
		{"write, cut later", later, write, nil, 200 * time.Millisecond, 0},
		{"crashed", func(n *mem.Network) { n.Crash("b") }, connect, syscall.ECONNREFUSED, 0, 0},
		{"crashed, read", func(n *mem.Network) { n.Crash("b") }, read, syscall.ECONNREFUSED, 0, 0},
		{"write, reordered", func(n *mem.Network) { n.SetLink("a", "b", mem.Link{Reorder: 1, Spread: 1}) }, write, nil, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				n := mem.NewNetwork(mem.Config{})
				a, b := newProbing(t, n, "a"), newProbing(t, n, "b")
				test.fault(n)
				begin := time.Now()
				err := a.probe(t, b.local, test.kind, message.UseAck)
				took := time.Since(begin)
				if !errors.Is(err, test.err) || took != test.took {
					t.Errorf("%v after %v, want %v after %v", err, took, test.err, test.took)
				}
				time.Sleep(10 * time.Second)
				if got := len(b.got); got != test.got {
					t.Errorf("%d messages arrived, want %d", got, test.got)
				}
			})
		})
	}
}

// A refusal is an answer; a message that asks for none is none to wait for.
func TestProbeAnswers(t *testing.T) {
	n := mem.NewNetwork(mem.Config{MaxFrame: 2000})
	a, b := newProbing(t, n, "a"), newProbing(t, n, "b")
	b.fail = errors.New("no")
	for _, o := range []message.Options{message.Sync, message.UseAck, 0} {
		if err := a.probe(t, b.local, channel.ProbeRead, o); err != nil {
			t.Errorf("%v: %v", o, err)
		}
	}
	if err := a.Sender.Probe(t.Context(), b.local, channel.Probe{Kind: channel.ProbeRead}); err == nil {
		t.Error("a read probe without a message succeeded")
	}
	big := a.pool.New(3000)
	defer big.Release()
	big.Source = a.local
	if err := a.Sender.Probe(t.Context(), b.local, channel.Probe{Kind: channel.ProbeWrite, Message: big}); !errors.Is(err, message.ErrTooLarge) {
		t.Errorf("a message that is too large: %v, want %v", err, message.ErrTooLarge)
	}
	stranger, err := b.local.With(func(at *membership.Attributes) { at.Host = netip.MustParseAddr("192.0.2.1") })
	if err != nil {
		t.Fatal(err)
	}
	if err := a.probe(t, stranger, channel.ProbeConnect, 0); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("no such host: %v, want %v", err, syscall.EHOSTUNREACH)
	}
}

// Stop ends probes that wait.
func TestProbeStop(t *testing.T) {
	for name, kind := range map[string]channel.ProbeKind{"connecting": channel.ProbeConnect, "reading": channel.ProbeRead} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				n := mem.NewNetwork(mem.Config{})
				a, b := newProbing(t, n, "a"), newProbing(t, n, "b")
				if kind == channel.ProbeConnect {
					n.Isolate("b")
				} else {
					n.SetLinks(mem.Link{Delay: 100 * time.Millisecond})
				}
				result := make(chan error, 1)
				go func() { result <- a.probe(t, b.local, kind, message.UseAck) }() // ends with the sender
				time.Sleep(250 * time.Millisecond)
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				if err := a.Sender.Stop(ended); kind == channel.ProbeRead && !errors.Is(err, context.Canceled) {
					t.Errorf("Stop() = %v, want %v", err, context.Canceled)
				}
				if err := <-result; !errors.Is(err, channel.ErrClosed) {
					t.Errorf("probe: %v, want %v", err, channel.ErrClosed)
				}
				if err := a.probe(t, b.local, kind, 0); !errors.Is(err, channel.ErrClosed) {
					t.Errorf("probe after the stop: %v, want %v", err, channel.ErrClosed)
				}
			})
		})
	}
}
