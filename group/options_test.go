package group

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
	"github.com/gotribes/tribes/transport/nio"
)

// alone is a membership in which nobody else is ever found.
type alone struct{ started bool }

func (a *alone) Start(context.Context, membership.Env) error { a.started = true; return nil }
func (a *alone) View() *membership.View                      { return new(membership.View) }
func (a *alone) Update(*membership.Member)                   {}
func (a *alone) Stop(context.Context) error                  { return nil }

// startReal starts a member on real sockets and stops it with the test.
func startReal(t *testing.T, options ...Option) *Group {
	t.Helper()
	g, err := New(options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v", err)
		}
	})
	return g
}

var errDial = errors.New("dialled by the test")

// The settings of sender and receiver reach the ones of package nio.
func TestTransportOptions(t *testing.T) {
	only := new(alone)
	g := startReal(t, WithMembership(only), WithBind("127.0.0.1"),
		WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort, UDPPort: nio.AnyPort}),
		WithSender(nio.SenderConfig{Retries: -1, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errDial }}))
	if m := g.Local(); m.Host() != netip.MustParseAddr("127.0.0.1") || m.UDPPort() == membership.NoPort {
		t.Errorf("the local member is %+v, want one on 127.0.0.1 with a UDP port", m.Attributes())
	}
	if _, err := g.Send(t.Context(), []*Member{g.Local()}, nil, UseAck); !errors.Is(err, errDial) {
		t.Errorf("Send() = %v, want the error of the dial function", err)
	}
	if !only.started {
		t.Error("the membership was not started")
	}
}

// An address of the receiver is stronger than WithBind.
func TestBindIsADefault(t *testing.T) {
	g := startReal(t, WithMembership(new(alone)), WithBind("192.0.2.1"),
		WithReceiver(nio.ReceiverConfig{Address: "127.0.0.1", Port: nio.AnyPort}))
	if got := g.Local().Host().String(); got != "127.0.0.1" {
		t.Errorf("the receiver is on %s, want 127.0.0.1", got)
	}
	g, err := New(WithBind("192.0.2.1"), WithMulticast(mcast.Config{Interface: "lo"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := g.parts.multicast.Config().Interface; got != "lo" {
		t.Errorf("multicast uses %q, want lo", got)
	}
}

func TestMulticastOptions(t *testing.T) {
	g, err := New(WithBind("127.0.0.1"), WithMulticast(mcast.Config{Port: 45565}))
	if err != nil {
		t.Fatal(err)
	}
	if got := g.parts.multicast.Config(); got.Port != 45565 || got.Interface != "127.0.0.1" {
		t.Errorf("multicast has %+v, want the port of the option and the interface of WithBind", got)
	}
	if g, err = New(WithStatic(static.Config{Members: []static.Peer{{Addr: "127.0.0.1:4000"}}})); err != nil || g.parts.multicast != nil {
		t.Errorf("a static membership alone has multicast, or is wrong: %v", err)
	}
	if g, err = New(); err != nil || g.parts.multicast.Config().Port != mcast.DefaultPort || g.parts.multicast.Config().Address.String() != mcast.DefaultAddress {
		t.Errorf("no options do not give the default multicast: %v", err)
	}
}

// Members on lists see each other if they share the name of the group.
func TestStaticOptions(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		var peers []static.Peer
		for _, host := range []string{"a", "b", "c"} {
			peers = append(peers, static.Peer{Addr: net.Node(host).Addr().String()})
		}
		begin := func(host, name string) *Group {
			c := net.Node(host).Config()
			return startReal(t, WithTransport(c.Sender, c.Receiver), WithName(name), WithStatic(static.Config{Members: peers}))
		}
		a, b, c := begin("a", "x"), begin("b", "x"), begin("c", "y")
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // of virtual time: whoever else could be found is found
		if a.View().Len() != 1 || a.View().Find(b.Local().Key()) == nil || c.View().Len() != 0 {
			t.Errorf("a sees %v, c sees %v; want a to see b alone and c nobody", a.View().Members, c.View().Members)
		}
		if got := a.Local().AddrPort(); got != net.Node("a").Addr() {
			t.Errorf("a is at %s, want the address of its transport", got)
		}
	})
}

// bindOnce is a layer that says whether it was bound.
type bindOnce struct{ bound bool }

func (b *bindOnce) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	b.bound = true
	return below, nil
}

func (b *bindOnce) BindUp(above channel.Up) channel.Up { return above }

func TestWithInterceptors(t *testing.T) {
	layer := new(bindOnce)
	if _, err := New(WithInterceptors(layer)); err != nil || !layer.bound {
		t.Errorf("New() = %v and the layer is bound: %v, want nil, true", err, layer.bound)
	}
}

// An unspecified address is one to listen on, and none to multicast from: the membership
// then chooses the interface of the address that is announced.
func TestBindAndMulticast(t *testing.T) {
	for _, test := range []struct{ bind, iface, want string }{
		{"", "", ""},
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", "eth9", "eth9"},
		{"0.0.0.0", "", ""},
		{"::", "", ""},
		{"0.0.0.0", "eth9", "eth9"},
	} {
		g, err := New(WithBind(test.bind), WithMulticast(mcast.Config{Interface: test.iface}))
		if err != nil {
			t.Fatal(err)
		}
		if got := g.parts.multicast.Config().Interface; got != test.want {
			t.Errorf("bound to %q with Interface %q: Interface %q, want %q", test.bind, test.iface, got, test.want)
		}
	}
}

func TestWithServices(t *testing.T) {
	g := startReal(t, WithMembership(new(alone)), WithBind("127.0.0.1"), WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort}),
		WithServices(channel.ReceiveData))
	if _, err := g.Send(t.Context(), []*Member{g.Local()}, nil, NoAck); !errors.Is(err, channel.ErrServiceOff) {
		t.Errorf("Send() = %v, want %v", err, channel.ErrServiceOff)
	}
}

// A member that does not receive needs no address, and is told by the one that it was
// given.
func TestWithServicesThatDoNotReceive(t *testing.T) {
	hears := startReal(t, WithMembership(new(alone)), WithBind("127.0.0.1"), WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort}))
	from := make(chan string, 1)
	hears.Listen(ListenerFunc(func(_ context.Context, m *Message) error {
		from <- m.Source.Host().String()
		return nil
	}))
	for _, test := range []struct{ bind, want string }{{"", "0.0.0.0"}, {"127.0.0.1", "127.0.0.1"}} {
		for _, services := range []channel.Services{channel.SendData, channel.SendData | channel.ReceiveMembers} {
			g := startReal(t, WithMembership(new(alone)), WithBind(test.bind), WithServices(services))
			if _, err := g.Send(t.Context(), []*Member{hears.Local()}, nil, Sync); err != nil {
				t.Errorf("services %#x: Send() = %v", services, err)
			} else if got := <-from; got != test.want {
				t.Errorf("services %#x bound to %q: a message from %s, want %s", services, test.bind, got, test.want)
			}
		}
	}
}

func TestLoggerAndTrace(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		log := new(testlog.Log)
		joined := make(chan Event, 10)
		open(t, net, "a", WithLogger(slog.New(slog.NewTextHandler(log, nil))),
			WithTrace(&channel.Trace{MemberEvent: func(ev Event) { joined <- ev }}))
		b := open(t, net, "b")
		if ev := <-joined; ev.Kind != Joined || ev.Member.Key() != b.Local().Key() {
			t.Errorf("the trace was told that %v %s, want that b joined", ev.Member, ev.Kind)
		}
		synctest.Wait()
		if !strings.Contains(log.String(), "member joined") {
			t.Errorf("the log has nothing about the member that joined:\n%s", log)
		}
	})
}

// A stop without a deadline of its own ends after the StopTimeout, whatever a
// listener does.
func TestWithStopTimeout(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		const timeout = 20 * time.Second
		a, b := open(t, net, "a"), open(t, net, "b", WithStopTimeout(timeout))
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		inside := make(chan struct{})
		b.Listen(ListenerFunc(func(ctx context.Context, _ *message.Message) error {
			close(inside)
			<-ctx.Done()
			return nil
		}))
		if _, err := a.SendAll(t.Context(), nil, UseAck); err != nil {
			t.Fatal(err)
		}
		<-inside
		begin := time.Now()
		b.Close()
		<-b.Done()
		if took := time.Since(begin); took < timeout || took > timeout+time.Second {
			t.Errorf("the stop took %v, want %v: the listener goes on until its context ends", took, timeout)
		}
	})
}

// A listener that does not return is named, be it of a topic or not.
func TestStuckListenersAreNamed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net, log := mem.NewNetwork(mem.Config{}), new(testlog.Log)
		a := open(t, net, "a")
		b := open(t, net, "b", WithStuckAfter(2*time.Minute), WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		block := func(context.Context, *message.Message) error { <-release; return nil }
		topic(t, b, "news").Listen(block)
		b.Listen(ListenerFunc(block))
		for i, send := range []func(context.Context, []byte, message.Options) (message.ID, error){topic(t, a, "news").SendAll, a.SendAll} {
			if _, err := send(t.Context(), nil, NoAck); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if got := strings.Count(log.String(), "does not return"); got != i {
				t.Errorf("%d lines after a minute, want %d: not yet the one of this listener", got, i)
			}
			time.Sleep(2 * time.Minute)
			release <- struct{}{}
		}
		const name = "github.com/gotribes/tribes/group.TestStuckListenersAreNamed.func1."
		for _, want := range []string{`listener="topic \"news\": ` + name, "listener=" + name} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("the log has not one line with %s:\n%s", want, log)
			}
		}
	})
}
