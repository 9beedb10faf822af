package channel_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// phases bring a channel to a point of its life and return how to go on from
// there to the end. Each runs in a bubble.
var phases = []struct {
	name string
	to   func(t *testing.T, b *bottom, c *channel.Channel) (end func())
}{
	{"new", func(_ *testing.T, _ *bottom, c *channel.Channel) func() { return c.Close }},
	{"starting", func(t *testing.T, b *bottom, c *channel.Channel) func() {
		release, ended := make(chan struct{}), make(chan struct{})
		b.sender.onStart = func(context.Context) error { <-release; return nil }
		go func() { // ends when the start has
			defer close(ended)
			if err := c.Start(context.Background()); err != nil && !errors.Is(err, channel.ErrClosed) {
				t.Errorf("Start: %v", err)
			}
		}()
		synctest.Wait()
		return func() { close(release); <-ended; c.Close() }
	}},
	{"running", func(t *testing.T, _ *bottom, c *channel.Channel) func() {
		if err := c.Start(context.Background()); err != nil {
			t.Errorf("Start: %v", err)
		}
		return c.Close
	}},
	{"stopping", func(t *testing.T, b *bottom, c *channel.Channel) func() {
		release := make(chan struct{})
		b.sender.onStop = func(context.Context) { <-release }
		if err := c.Start(context.Background()); err != nil {
			t.Errorf("Start: %v", err)
		}
		c.Close()
		synctest.Wait()
		return func() { close(release) }
	}},
	{"stopped", func(t *testing.T, _ *bottom, c *channel.Channel) func() {
		if err := c.Start(context.Background()); err != nil {
			t.Errorf("Start: %v", err)
		}
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		return func() {}
	}},
	{"never started and stopped", func(t *testing.T, _ *bottom, c *channel.Channel) func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		return func() {}
	}},
}

func TestLifeCycle(t *testing.T) {
	to := []*membership.Member{named(t, "a")}
	ctx := context.Background()
	notStarted, closed, started := channel.ErrNotStarted, channel.ErrClosed, channel.ErrStarted
	calls := []struct {
		name string
		call func(c *channel.Channel) error
		want []error // per phase
	}{
		{"Start", func(c *channel.Channel) error { return c.Start(ctx) },
			[]error{nil, started, started, closed, closed, closed}},
		{"Send", func(c *channel.Channel) error { _, err := c.Send(ctx, to, nil, 0); return err },
			[]error{notStarted, notStarted, nil, closed, closed, closed}},
		{"SendAll", func(c *channel.Channel) error { _, err := c.SendAll(ctx, nil, 0); return err },
			[]error{notStarted, notStarted, channel.ErrNoMembers, closed, closed, closed}},
		{"Post", func(c *channel.Channel) error { _, err := c.Post(ctx, to, nil, 0, nil); return err },
			[]error{notStarted, notStarted, nil, closed, closed, closed}},
		{"UpdateLocal", func(c *channel.Channel) error { return c.UpdateLocal(func(*membership.Attributes) {}) },
			[]error{notStarted, nil, nil, closed, closed, closed}},
		{"WaitMembers 0", func(c *channel.Channel) error { return c.WaitMembers(ctx, 0) },
			[]error{nil, nil, nil, nil, nil, nil}},
		{"Listen", func(c *channel.Channel) error { c.Listen(listen(func(string) error { return nil }))(); return nil },
			[]error{nil, nil, nil, nil, nil, nil}},
		{"Watch", func(c *channel.Channel) error {
			c.Watch(channel.MembershipListenerFunc(func(context.Context, membership.Event) {}))()
			return nil
		}, []error{nil, nil, nil, nil, nil, nil}},
		{"View and Stats", func(c *channel.Channel) error {
			if c.View().Len() != 0 || c.Stats().Members != 0 {
				return errors.New("there are members")
			}
			return nil
		}, []error{nil, nil, nil, nil, nil, nil}},
		{"Close", func(c *channel.Channel) error { c.Close(); return nil },
			[]error{nil, nil, nil, nil, nil, nil}},
	}
	for _, call := range calls {
		for i, phase := range phases {
			t.Run(call.name+"/"+phase.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBottom()
					c, err := channel.New(b.config())
					if err != nil {
						t.Fatal(err)
					}
					end := phase.to(t, b, c)
					if err := call.call(c); !errors.Is(err, call.want[i]) {
						t.Errorf("%s = %v, want %v", call.name, err, call.want[i])
					}
					end()
					<-c.Done()
				})
			})
		}
	}
}

func TestErrClosedIsNetErrClosed(t *testing.T) {
	if !errors.Is(channel.ErrClosed, net.ErrClosed) {
		t.Errorf("%v is not %v", channel.ErrClosed, net.ErrClosed)
	}
}

func TestStartAndStopOrder(t *testing.T) {
	b := newBottom()
	cfg := b.config()
	cfg.Interceptors = []channel.Interceptor{&stepper{name: "top", b: b}, new(plain), &stepper{name: "low", b: b}}
	c := start(t, cfg)
	want := []string{"receiver starts", "sender starts", "low starts", "top starts", "membership starts"}
	if diff := cmp.Diff(want, b.take()); diff != "" {
		t.Errorf("start (-want +got):\n%s", diff)
	}
	if a := c.Local().Attributes(); a.Host != here || a.Port != 4321 || a.SecurePort != 4322 || a.UDPPort != membership.NoPort || a.ID.IsZero() {
		t.Errorf("Local() = %+v, want the address of the receiver and an id", a)
	}
	if b.sender.env.Local() != c.Local() || b.receiver.env.Local() != c.Local() || b.membership.env.Local != c.Local() {
		t.Error("a part does not know the local member")
	}
	stop(t, c)
	want = []string{"top drains", "low drains", "membership stops", "sender stops", "receiver stops"}
	if diff := cmp.Diff(want, b.take()); diff != "" {
		t.Errorf("stop (-want +got):\n%s", diff)
	}
}

// stepper is a layer with a step in start and stop.
type stepper struct {
	plain
	name string
	b    *bottom
	err  error
}

func (l *stepper) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	h.OnStart(func(context.Context) error { l.b.add(l.name + " starts"); return l.err })
	h.OnDrain(func(context.Context) { l.b.add(l.name + " drains") })
	return below, nil
}

// When one part does not start, those before it are ended, and those after it
// are not begun.
func TestStartFails(t *testing.T) {
	oops := errors.New("oops")
	stops := []string{"membership stops", "sender stops", "receiver stops"}
	tests := []struct {
		name  string
		spoil func(b *bottom, low, top *stepper)
		want  []string
	}{
		{"receiver", func(b *bottom, _, _ *stepper) { b.receiver.startErr = oops },
			slices.Concat([]string{"receiver starts"}, stops)},
		{"sender", func(b *bottom, _, _ *stepper) { b.sender.startErr = oops },
			slices.Concat([]string{"receiver starts", "sender starts"}, stops)},
		{"low layer", func(_ *bottom, low, _ *stepper) { low.err = oops },
			slices.Concat([]string{"receiver starts", "sender starts", "low starts"}, stops)},
		{"top layer", func(_ *bottom, _, top *stepper) { top.err = oops },
			slices.Concat([]string{"receiver starts", "sender starts", "low starts", "top starts", "low drains"}, stops)},
		{"membership", func(b *bottom, _, _ *stepper) { b.membership.startErr = oops },
			slices.Concat([]string{"receiver starts", "sender starts", "low starts", "top starts", "membership starts", "top drains", "low drains"}, stops)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBottom()
				low, top := &stepper{name: "low", b: b}, &stepper{name: "top", b: b}
				test.spoil(b, low, top)
				cfg := b.config()
				cfg.Interceptors = []channel.Interceptor{top, low}
				c, err := channel.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Start(t.Context()); !errors.Is(err, oops) {
					t.Errorf("Start() = %v, want %v", err, oops)
				}
				select {
				case <-c.Done():
				default:
					t.Error("Start has failed and the channel is not closed")
				}
				if diff := cmp.Diff(test.want, b.take()); diff != "" {
					t.Errorf("steps (-want +got):\n%s", diff)
				}
				if err := c.Start(t.Context()); !errors.Is(err, channel.ErrClosed) {
					t.Errorf("second Start() = %v, want %v", err, channel.ErrClosed)
				}
			})
		})
	}
}

func TestStartWithoutAddress(t *testing.T) {
	b := newBottom()
	b.receiver.noAddress = true
	c, err := channel.New(b.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err == nil {
		t.Error("Start() = nil with a receiver that has no address")
	}
	<-c.Done()
}

// A channel without membership has an empty view; one whose part does not stop
// in order says so in its log.
func TestWithoutMembership(t *testing.T) {
	b := newBottom()
	var log bytes.Buffer
	cfg := b.config()
	cfg.Membership = nil
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	b.receiver.stopErr = errors.New("somebody is still inside")
	c := start(t, cfg)
	if n := c.View().Len(); n != 0 {
		t.Errorf("the view has %d members", n)
	}
	stop(t, c)
	if !strings.Contains(log.String(), "part=receiver") || !strings.Contains(log.String(), "still inside") {
		t.Errorf("log of the stop: %s", log.String())
	}
}

// Stop ends a Start that hangs.
func TestStopDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBottom()
		b.sender.onStart = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		c, err := channel.New(b.config())
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		go func() { result <- c.Start(context.Background()) }() // ends with the start
		synctest.Wait()
		begin := time.Now()
		stop(t, c)
		if err := <-result; !errors.Is(err, channel.ErrClosed) {
			t.Errorf("Start() = %v, want %v", err, channel.ErrClosed)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("the stop took %v", took)
		}
		want := []string{"receiver starts", "sender starts", "membership stops", "sender stops", "receiver stops"}
		if diff := cmp.Diff(want, b.take()); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

// A Close during a Start that succeeds nevertheless is not lost.
func TestCloseDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBottom()
		var c *channel.Channel
		b.membership.onStart = func() { c.Close() }
		c, err := channel.New(b.config())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("Start() = %v, want %v", err, channel.ErrClosed)
		}
		<-c.Done()
	})
}

func TestServiceBits(t *testing.T) {
	b := newBottom()
	tests := []struct {
		name     string
		services channel.Services
		started  []string
		send     error
	}{
		{"receive data", channel.ReceiveData, []string{"receiver starts"}, channel.ErrServiceOff},
		{"send data", channel.SendData, []string{"sender starts"}, nil},
		{"both", channel.SendData | channel.ReceiveData, []string{"receiver starts", "sender starts"}, nil},
		{"listen for members", channel.ReceiveMembers, []string{"membership starts"}, channel.ErrServiceOff},
		{"all but the announcement", channel.AllServices &^ channel.SendMembers, []string{"receiver starts", "sender starts", "membership starts"}, nil},
		{"all but looking", channel.AllServices &^ channel.ReceiveMembers, []string{"receiver starts", "sender starts", "membership starts"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b = newBottom()
			l := &tracer{name: "it", j: new(journal)}
			cfg := b.config()
			cfg.Services = test.services
			cfg.Local = membership.Attributes{Host: here, SecurePort: -1, UDPPort: -1}
			cfg.Interceptors = []channel.Interceptor{l}
			c := start(t, cfg)
			if diff := cmp.Diff(test.started, b.take()); diff != "" {
				t.Errorf("started (-want +got):\n%s", diff)
			}
			to := []*membership.Member{named(t, "a")}
			if _, err := c.Send(t.Context(), to, nil, 0); !errors.Is(err, test.send) {
				t.Errorf("Send() = %v, want %v", err, test.send)
			}
			if _, err := c.Post(t.Context(), to, nil, 0, nil); !errors.Is(err, test.send) {
				t.Errorf("Post() = %v, want %v", err, test.send)
			}
			if err := l.host.Probe(t.Context(), to[0], channel.Probe{Kind: channel.ProbeConnect}); !errors.Is(err, test.send) {
				t.Errorf("Probe() = %v, want %v", err, test.send)
			}
			if err := sendFromLayer(t, l, to); !errors.Is(err, test.send) {
				t.Errorf("a layer's Send() = %v, want %v", err, test.send)
			}
			if env := b.membership.env; env.Notify != nil {
				if env.Listen != test.services.Has(channel.ReceiveMembers) || env.Announce != test.services.Has(channel.SendMembers) {
					t.Errorf("membership: listen %v, announce %v", env.Listen, env.Announce)
				}
				b.membership.happen(membership.Left, to[0])
			}
		})
	}
}

// sendFromLayer sends through the flow that a layer was bound to.
func sendFromLayer(t *testing.T, l *tracer, to []*membership.Member) error {
	m := l.host.NewMessage(0)
	defer m.Release()
	r := message.NewReceipt(len(to), nil)
	err := l.down.Send(t.Context(), to, m, r)
	if err == nil {
		<-r.Done()
	}
	return err
}

func TestUpdateLocal(t *testing.T) {
	b := newBottom()
	cfg := b.config()
	cfg.Local = membership.Attributes{Domain: "d", Payload: "one"}
	c := start(t, cfg)
	before := c.Local()
	err := c.UpdateLocal(func(a *membership.Attributes) {
		a.Payload, a.Port, a.ID = "two", 1, membership.NewID()
	})
	if err != nil {
		t.Fatal(err)
	}
	after := c.Local()
	if after.Payload() != "two" || after.Domain() != "d" || after.Key() != before.Key() {
		t.Errorf("Local() = %+v, want the new payload and the old key", after.Attributes())
	}
	if got := b.membership.updates; len(got) != 1 || got[0] != after {
		t.Errorf("the membership was told %v, want %v", got, after)
	}
	if err := c.UpdateLocal(func(a *membership.Attributes) { a.Domain = string(make([]byte, membership.MaxPart+1)) }); err == nil {
		t.Error("a domain that is too long was taken")
	}
	if c.Local() != after {
		t.Error("a change that failed changed the local member")
	}
}

// A change while the membership starts is announced.
func TestUpdateLocalDuringStart(t *testing.T) {
	b := newBottom()
	var c *channel.Channel
	b.membership.onStart = func() {
		if err := c.UpdateLocal(func(a *membership.Attributes) { a.Payload = "new" }); err != nil {
			t.Errorf("UpdateLocal: %v", err)
		}
		b.membership.updates = nil // as a service that is not ready to hear
	}
	c, err := channel.New(b.config())
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, c)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.membership.updates; len(got) != 1 || got[0].Payload() != "new" {
		t.Errorf("the membership was told %v, want the new payload", got)
	}
}
