package group

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/nio"
)

// Group is one member of a group: a channel with the parts that [New] chose,
// named topics, and remote calls. All methods are safe for concurrent use and may be called
// inside every callback.
type Group struct {
	// Channel is the engine. Its Start, Stop, Send, SendAll, Post, View, Watch and
	// WaitMembers are those of the group; Listen is hidden by that of the group.
	*channel.Channel

	parts parts
	calls *rpc

	mu     sync.RWMutex
	topics map[string]*Topic
}

// parts are what New put into the channel, as far as it knows them.
type parts struct {
	sender    *nio.Sender
	receiver  *nio.Receiver
	multicast *mcast.Service
}

// New assembles a member. With no options it finds others by multicast on
// 228.0.0.4:45564, listens on the first free TCP port from 4000 on an address of
// this machine, and has the layers Dispatch and TCPFailureDetector. Nothing is
// started. The error joins everything that is wrong with the options.
func New(options ...Option) (*Group, error) {
	var s Settings
	for _, o := range options {
		o(&s)
	}
	return s.build()
}

// build makes the parts and joins them. s is its own copy.
func (s Settings) build() (*Group, error) {
	g := &Group{topics: make(map[string]*Topic), calls: newRPC(s.RPC, s.TLSOnly, s.StuckAfter)}
	var errs []error
	cfg := channel.Config{
		Name:        s.Name,
		Services:    s.Services,
		Local:       s.local(),
		Logger:      s.Logger,
		Trace:       s.Trace,
		StopTimeout: s.StopTimeout,
		StuckAfter:  s.StuckAfter,
		Clock:       s.Clock,
	}
	errs = append(errs, g.transport(&s, &cfg))
	services, layers, err := g.memberships(&s)
	errs = append(errs, err)
	switch len(services) {
	case 0:
	case 1:
		cfg.Membership = services[0]
	default:
		cfg.Membership = membership.Union(services...)
	}
	if s.TLSOnly {
		cfg.Interceptors = append(cfg.Interceptors, new(tlsOnly))
	}
	cfg.Interceptors = append(cfg.Interceptors, g.calls)
	cfg.Interceptors = append(cfg.Interceptors, layers...)
	for i, layer := range s.layers() {
		if layer == nil {
			errs = append(errs, fmt.Errorf("tribes: group: WithInterceptors: layer %d is nil, want a layer", i))
			continue
		}
		cfg.Interceptors = append(cfg.Interceptors, layer)
	}
	c, err := channel.New(cfg) // whatever is wrong already: it may find more
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	g.Channel = c
	c.Listen(router{g})
	return g, nil
}

// local is what the member tells of itself. Where the receiver is it says by itself; a
// member without one is nowhere.
func (s *Settings) local() membership.Attributes {
	a := membership.Attributes{Domain: s.Domain, Payload: s.Payload, ID: s.ID}
	if s.Services == 0 || s.Services.Has(channel.ReceiveData) {
		return a
	}
	var err error
	if a.Host, err = netip.ParseAddr(s.Bind); err != nil {
		a.Host = netip.IPv4Unspecified() // with what is wrong the receiver's configuration is refused
	}
	a.SecurePort, a.UDPPort = membership.NoPort, membership.NoPort
	return a
}

// transport makes sender and receiver unless the options brought their own.
func (g *Group) transport(s *Settings, cfg *channel.Config) error {
	errs := []error{s.secure()}
	cfg.Sender, cfg.Receiver = s.Transport.Sender, s.Transport.Receiver
	if cfg.Sender == nil {
		sender, err := nio.NewSender(s.Sender)
		errs = append(errs, err)
		g.parts.sender, cfg.Sender = sender, sender
	}
	if cfg.Receiver == nil {
		if s.Bind != "" && s.Receiver.Address == "" {
			s.Receiver.Address = s.Bind
		}
		receiver, err := nio.NewReceiver(s.Receiver)
		errs = append(errs, err)
		g.parts.receiver, cfg.Receiver = receiver, receiver
	}
	return errors.Join(errs...)
}

// secure hands the configuration of WithTLS to sender and receiver.
func (s *Settings) secure() error {
	switch {
	case !s.TLSOnly:
		return nil
	case s.TLS == nil:
		return errors.New("tribes: group: WithTLS: want a configuration")
	case s.Transport.Sender != nil || s.Transport.Receiver != nil:
		return errors.New("tribes: group: WithTLS cannot protect what WithTransport brings")
	}
	s.Sender.TLS = cmp.Or(s.Sender.TLS, s.TLS)
	s.Receiver.TLS = cmp.Or(s.Receiver.TLS, s.TLS)
	return nil
}

// memberships makes the services. Static ones are layers too.
func (g *Group) memberships(s *Settings) ([]membership.Service, []channel.Interceptor, error) {
	services := s.Memberships
	var layers []channel.Interceptor
	var errs []error
	if s.Multicast != nil || len(services) == 0 && len(s.Static) == 0 {
		m, err := g.multicast(s)
		if err != nil {
			errs = append(errs, err)
		} else {
			services = append(services, m)
		}
	}
	for _, c := range s.Static {
		if c.Name == "" {
			c.Name = s.Name
		}
		m, err := static.New(c)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		services, layers = append(services, m), append(layers, m)
	}
	return services, layers, errors.Join(errs...)
}

func (g *Group) multicast(s *Settings) (membership.Service, error) {
	var c mcast.Config
	if s.Multicast != nil {
		c = *s.Multicast
	}
	if a, err := netip.ParseAddr(s.Bind); c.Interface == "" && !(err == nil && a.IsUnspecified()) {
		c.Interface = s.Bind
	}
	m, err := mcast.New(c)
	g.parts.multicast = m
	return m, err
}

// layers are those of the options, else the default ones.
func (s *Settings) layers() []channel.Interceptor {
	if s.Interceptors != nil {
		return s.Interceptors
	}
	layers := []channel.Interceptor{new(interceptor.Dispatch)}
	if s.Domain != "" {
		layers = append(layers, &interceptor.DomainFilter{Domain: s.Domain})
	}
	return append(layers, new(interceptor.TCPFailureDetector))
}

// String names the local member, or says that there is none yet.
func (g *Group) String() string {
	if m := g.Local(); m != nil {
		return fmt.Sprintf("group member %s", m)
	}
	return "group member, not started"
}
