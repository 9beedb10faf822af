package channel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

func TestConfig(t *testing.T) {
	local := membership.Attributes{Host: here, Port: 4000, SecurePort: -1, UDPPort: -1}
	tests := []struct {
		name   string
		change func(c *channel.Config)
		want   []string // parts of the error, none for no error
	}{
		{"complete", func(*channel.Config) {}, nil},
		{"no membership", func(c *channel.Config) { c.Membership = nil }, nil},
		{"receive only", func(c *channel.Config) { c.Sender = nil; c.Services = channel.ReceiveData | channel.ReceiveMembers }, nil},
		{"send only", func(c *channel.Config) { c.Receiver = nil; c.Services = channel.SendData; c.Local = local }, nil},
		{"send only, no address", func(c *channel.Config) { c.Receiver = nil; c.Services = channel.SendData }, []string{"Local: "}},
		{"empty", func(c *channel.Config) { *c = channel.Config{} }, []string{"Sender: ", "Receiver: "}},
		{"everything wrong", func(c *channel.Config) {
			c.Sender = nil
			c.Services = 0x40 | channel.SendData | channel.SendMembers
			c.StopTimeout = -time.Second
			c.Interceptors = []channel.Interceptor{new(plain), nil}
			c.Local.Domain = strings.Repeat("x", membership.MaxPart+1)
		}, []string{"Sender: ", "Services 0x4a: ", "Services: SendMembers", "StopTimeout -1s: ", "Interceptors[1]: ", "Local: "}},
		{"listed twice", func(c *channel.Config) {
			layer := &tracer{name: "it", j: new(journal)}
			c.Interceptors = []channel.Interceptor{layer, new(plain), new(plain), layer}
		}, []string{"Interceptors: one tracer is listed twice"}},
		{"long name", func(c *channel.Config) { c.Name = strings.Repeat("x", 255) }, nil},
		{"name too long", func(c *channel.Config) { c.Name = strings.Repeat("x", 256) }, []string{"Name \"xxx"}},
		{"name of two lines", func(c *channel.Config) { c.Name = "a\nb" }, []string{`Name "a\nb": `}},
		{"local payload", func(c *channel.Config) { c.Local.Payload = strings.Repeat("x", membership.MaxPart+1) }, []string{"Local: "}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := newBottom().config()
			test.change(&cfg)
			c, err := channel.New(cfg)
			if (err == nil) != (c != nil) {
				t.Errorf("New() = %v, %v, want one of them", c, err)
			}
			if len(test.want) == 0 && err != nil {
				t.Errorf("New() = %v, want no error", err)
			}
			for _, part := range test.want {
				if err == nil || !strings.Contains(err.Error(), "tribes: channel config: "+part) {
					t.Errorf("New() = %v, want it to tell of %q", err, part)
				}
			}
		})
	}
}

// The caller's configuration is not kept.
func TestConfigIsCopied(t *testing.T) {
	j := new(journal)
	cfg := newBottom().config()
	cfg.Interceptors = []channel.Interceptor{&tracer{name: "it", j: j}}
	cfg.Name = "mine"
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Interceptors[0] = nil
	cfg.Name = "yours"
	cfg.Sender = nil
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, c)
	if c.Name() != "mine" {
		t.Errorf("Name() = %q, want %q", c.Name(), "mine")
	}
}

func TestServicesHas(t *testing.T) {
	tests := []struct {
		name string
		s, q channel.Services
		want bool
	}{
		{"all has one", channel.AllServices, channel.SendMembers, true},
		{"one has not all", channel.SendData, channel.AllServices, false},
		{"two of three", channel.SendData | channel.ReceiveData | channel.SendMembers, channel.SendData | channel.SendMembers, true},
		{"one of two asked", channel.SendData, channel.SendData | channel.ReceiveData, false},
	}
	for _, test := range tests {
		if got := test.s.Has(test.q); got != test.want {
			t.Errorf("%s: %v.Has(%v) = %v, want %v", test.name, test.s, test.q, got, test.want)
		}
	}
	if channel.AllServices != 15 {
		t.Errorf("AllServices = %d, want 15, as the start flags of Tribes", channel.AllServices)
	}
}
