package channel_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

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
