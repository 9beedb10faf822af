// Package member makes a group member from the settings that all subcommands
// share.
package member

import (
	"log/slog"
	"net/netip"
	"slices"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/nio"
)

// New makes a member, not started. more options come last and win.
func New(s *settings.Settings, log *slog.Logger, more ...group.Option) (*group.Group, error) {
	if s.KeyUnused() {
		log.Warn("there is a key and no layer encrypt: messages go in the clear", "stack", s.StackText())
	}
	return group.New(append(Options(s, log), more...)...)
}

// Options are what the settings come to. The stack is taken literally.
func Options(s *settings.Settings, log *slog.Logger) []group.Option {
	all := []group.Option{
		group.WithName(s.Channel),
		group.WithLogger(log),
		group.WithDomain(s.Domain),
		group.WithID(s.ID),
		group.WithBind(multicastInterface(s.Bind)),
		group.WithReceiver(receiverConfig(s)),
		group.WithSender(senderConfig(s)),
		group.WithInterceptors(layers(s)...),
	}
	if s.ClockOffset != 0 {
		all = append(all, group.WithClock(s.Now))
	}
	if s.TLS.Only {
		all = append(all, group.WithTLS(s.TLS.Config))
	}
	if s.Mcast {
		all = append(all, group.WithMulticast(Multicast(s)))
	}
	if len(s.Static) > 0 {
		all = append(all, group.WithStatic(staticConfig(s)))
	}
	return all
}

func receiverConfig(s *settings.Settings) nio.ReceiverConfig {
	c := nio.ReceiverConfig{Address: s.Bind, Port: receiverPort(s.Port), PortTries: s.AutoBind, TLS: s.TLS.Config}
	if c.TLS != nil {
		c.SecurePort = receiverPort(s.TLS.Port)
	}
	return c
}

func senderConfig(s *settings.Settings) nio.SenderConfig {
	return nio.SenderConfig{TLS: s.TLS.Config}
}

func receiverPort(port int) int {
	if port == 0 {
		return nio.AnyPort
	}
	return port
}

// Multicast is the multicast membership of the settings.
func Multicast(s *settings.Settings) mcast.Config {
	return mcast.Config{
		Address:   netip.MustParseAddr(s.McastAddr), // checked by package settings
		Port:      s.McastPort,
		Frequency: s.Freq,
		DropTime:  s.Drop,
		Interface: multicastInterface(s.Bind),
		Messages:  mcast.FromMembers,
	}
}

// multicastInterface is the bind address, unless that stands for all.
func multicastInterface(bind string) string {
	if a, err := netip.ParseAddr(bind); err == nil && a.IsUnspecified() {
		return ""
	}
	return bind
}

func staticConfig(s *settings.Settings) static.Config {
	c := static.Config{Name: s.Channel, Ping: s.Freq, Expiration: s.Drop}
	for _, p := range s.Static {
		c.Members = append(c.Members, static.Peer{Addr: p.Addr, ID: p.ID})
	}
	return c
}

// layers makes the layers that the stack names.
func layers(s *settings.Settings) []channel.Interceptor {
	var all []channel.Interceptor
	detector := new(interceptor.TCPFailureDetector)
	for i, name := range s.Stack {
		switch name {
		case "tfd":
			all = append(all, detector)
			detector = new(interceptor.TCPFailureDetector) // a second one is refused by New
		case "ping":
			p := new(interceptor.TCPPing)
			if slices.Contains(s.Stack[i:], "tfd") {
				p.Detector = detector
			}
			all = append(all, p)
		case "views":
			if !slices.Contains(s.Stack, "coord") {
				all = append(all, coordinator(s, i))
			}
		case "coord":
			all = append(all, coordinator(s, i))
		default:
			all = append(all, layer(s, name))
		}
	}
	return all
}

// coordinator makes a coordinator for a place in the stack. Where the stack says so, that
// is also below the encryption.
func coordinator(s *settings.Settings, i int) *interceptor.NonBlockingCoordinator {
	return &interceptor.NonBlockingCoordinator{ClearTokens: slices.Contains(s.Stack[:i], "encrypt")}
}

// layer makes a layer that stands by itself.
func layer(s *settings.Settings, name string) channel.Interceptor {
	switch name {
	case "dispatch":
		return new(interceptor.Dispatch)
	case "gzip":
		return new(interceptor.Gzip)
	case "zstd":
		return new(interceptor.Compress)
	case "order":
		return new(interceptor.Order)
	case "frag":
		return new(interceptor.Fragmentation)
	case "2pc":
		return new(interceptor.TwoPhaseCommit)
	case "encrypt":
		return &interceptor.Encrypt{Key: s.Key, Cipher: s.Cipher.Cipher, OldForm: s.Cipher.OldForm, Clock: s.Now}
	}
	return &interceptor.DomainFilter{Domain: s.Domain}
}
