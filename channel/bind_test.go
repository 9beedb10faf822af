package channel_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// tracer is a layer that writes down all that passes it.
type tracer struct {
	name string
	j    *journal
	host channel.Host
	down channel.Down
	up   channel.Up
}

func (l *tracer) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	l.j.add("down " + l.name)
	l.host, l.down = h, below
	return channel.Down{
		Send: func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			l.j.add("send " + l.name)
			return below.Send(ctx, to, m, r)
		},
		View: func() *membership.View {
			l.j.add("view " + l.name)
			return below.View()
		},
	}, nil
}

func (l *tracer) BindUp(above channel.Up) channel.Up {
	l.j.add("up " + l.name)
	l.up = above
	return channel.Up{
		Receive: func(ctx context.Context, m *message.Message) error {
			l.j.add("receive " + l.name)
			return above.Receive(ctx, m)
		},
		Event: func(ev membership.Event) {
			l.j.add("event " + l.name)
			above.Event(ev)
		},
		Fault: func(m *membership.Member, id message.ID, err error) {
			l.j.add("fault " + l.name)
			above.Fault(m, id, err)
		},
	}
}

// plain is a layer that has nothing to do with anything.
type plain struct{ bound int }

func (l *plain) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	l.bound++
	return below, nil
}

func (l *plain) BindUp(above channel.Up) channel.Up {
	l.bound++
	return above
}

func TestBindOrder(t *testing.T) {
	b := newBottom()
	j := new(journal)
	cfg := b.config()
	through := new(plain)
	cfg.Interceptors = []channel.Interceptor{&tracer{name: "top", j: j}, through, &tracer{name: "low", j: j}}
	c := start(t, cfg)
	want := []string{"down low", "down top", "up top", "up low"}
	if diff := cmp.Diff(want, j.take()); diff != "" {
		t.Errorf("binding (-want +got):\n%s", diff)
	}
	if through.bound != 2 {
		t.Errorf("the second layer was bound %d times, want 2", through.bound)
	}

	told := make(chan string, 1)
	c.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) { told <- ev.Member.Payload() }))
	c.Listen(listen(func(string) error { j.add("listener"); return nil }))
	steps := []struct {
		name string
		f    func()
		want []string
	}{
		{"send", func() { c.Send(t.Context(), []*membership.Member{named(t, "a")}, nil, 0) }, []string{"send top", "send low"}},
		{"view", func() { c.View() }, []string{"view top", "view low"}},
		{"receive", func() { b.receiver.deliver(named(t, "a"), "x") }, []string{"receive low", "receive top", "listener"}},
		{"event", func() { b.membership.happen(membership.Joined, named(t, "a")); <-told }, []string{"event low", "event top"}},
		{"fault", func() { b.sender.env.Fault(named(t, "a"), message.NewID(), message.ErrTimeout) }, []string{"fault low", "fault top"}},
	}
	for _, s := range steps {
		s.f()
		if diff := cmp.Diff(s.want, j.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
}

// failing is a layer that cannot be bound.
type failing struct{ plain }

var errLayer = errors.New("there is no such key")

func (*failing) BindDown(channel.Host, channel.Down) (channel.Down, error) {
	return channel.Down{}, errLayer
}

func TestBindError(t *testing.T) {
	cfg := newBottom().config()
	over := new(plain)
	cfg.Interceptors = []channel.Interceptor{&failing{}, over, &failing{}}
	c, err := channel.New(cfg)
	if c != nil || !errors.Is(err, errLayer) {
		t.Fatalf("New() = %v, %v, want nil, %v", c, err, errLayer)
	}
	if n := strings.Count(err.Error(), "layer failing: "); n != 2 {
		t.Errorf("the error names %d of 2 layers: %v", n, err)
	}
}

// A layer reaches the parts through its host.
func TestHost(t *testing.T) {
	b := newBottom()
	l := &tracer{name: "it", j: new(journal)}
	cfg := b.config()
	cfg.Interceptors = []channel.Interceptor{l}
	now := time.UnixMilli(123456789)
	cfg.Clock = func() time.Time { return now }
	var probed []string
	cfg.Trace = &channel.Trace{Probe: func(to *membership.Member, kind channel.ProbeKind, _ time.Duration, err error) {
		probed = append(probed, kind.String()+" "+to.Payload())
	}}
	c := start(t, cfg)
	h := l.host
	if h.Local() != c.Local() || h.Logger() == nil || h.Trace().Duplicate == nil || h.Pool() == nil {
		t.Error("a host lacks something")
	}
	m := h.NewMessage(5)
	if m.Len() != 5 || m.Source != c.Local() || m.Sent != now.UnixMilli() || m.ID == (message.ID{}) {
		t.Errorf("NewMessage(5) has %d bytes, the source %v, the time %d and the id %v", m.Len(), m.Source, m.Sent, m.ID)
	}
	m.Release()
	b.take()
	if err := h.Probe(t.Context(), named(t, "a"), channel.Probe{Kind: channel.ProbeConnect}); err != nil {
		t.Errorf("Probe: %v", err)
	}
	h.Forget(named(t, "a"))
	if diff := cmp.Diff([]string{"probe connect a", "forget a"}, b.take()); diff != "" {
		t.Errorf("at the sender (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"connect a"}, probed); diff != "" {
		t.Errorf("traced (-want +got):\n%s", diff)
	}
}

// Serial is in line with the events of the membership.
func TestHostSerial(t *testing.T) {
	b := newBottom()
	j := new(journal)
	l := &tracer{name: "it", j: new(journal)}
	cfg := b.config()
	cfg.Interceptors = []channel.Interceptor{l}
	c := start(t, cfg)
	all := make(chan struct{})
	c.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) { j.add(ev.Member.Payload()) }))
	b.membership.happen(membership.Joined, named(t, "a"))
	l.host.Serial(func() {
		j.add("serial")
		l.up.Event(membership.Event{Kind: membership.Joined, Member: named(t, "b"), At: time.Now()})
	})
	b.membership.happen(membership.Joined, named(t, "c"))
	l.host.Serial(func() { close(all) })
	<-all
	if diff := cmp.Diff([]string{"a", "serial", "b", "c"}, j.take()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
