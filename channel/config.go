package channel

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gotribes/tribes/membership"
)

// Services are the parts of a channel that run. The bits are those of Tribes'
// start flags.
type Services uint8

// The services.
const (
	ReceiveData    Services = 1 << iota // the receiver listens
	SendData                            // the sender sends
	ReceiveMembers                      // the membership looks for others
	SendMembers                         // the membership announces the local member

	// AllServices is what a channel runs if not told otherwise.
	AllServices = ReceiveData | SendData | ReceiveMembers | SendMembers
)

// Has reports whether all of the given services are on.
func (s Services) Has(all Services) bool { return s&all == all }

// Config describes a channel. The parts in it (Sender, Receiver, Membership,
// Interceptors) are bound to the channel by [New] and cannot serve another.
type Config struct {
	// Name is a label for logs; static start messages of Java nodes carry it. The
	// members of a group need not share it otherwise. It has at most 255 bytes and
	// no control characters.
	Name string
	// Sender takes messages out. Required if the service SendData is on.
	Sender Sender
	// Receiver brings messages in. Required if the service ReceiveData is on.
	Receiver Receiver
	// Membership finds the others; membership.Union combines several services.
	// Nil means that there are none.
	Membership membership.Service
	// Interceptors are the layers, nearest the application first.
	Interceptors []Interceptor
	// Services to run; zero means AllServices.
	Services Services
	// Local has what the local member tells about itself beside what the receiver
	// knows: Domain, Payload, Command, and ID (zero: a new one). Host and ports
	// are used only without the service ReceiveData.
	Local membership.Attributes
	// Logger has a line for each member event, and at the level Debug one for each
	// message sent or received, with its id and size and never its bytes; nil
	// discards.
	Logger *slog.Logger
	// Trace is told what happens; nil is told nothing.
	Trace *Trace
	// StopTimeout is how long a stop waits for orderly ends (queues, deliveries)
	// if the context of Stop has no deadline; zero means 5 s.
	StopTimeout time.Duration
	// StuckAfter is how long a listener's Receive, a membership listener or the done
	// function of a Post may take before the log names it and Stats counts it; it is
	// left to run. Zero means 10 s, negative never. It is noticed up to a quarter
	// later.
	StuckAfter time.Duration
	// Clock is the wall clock for the time stamps of messages; nil means
	// time.Now. Nothing but those stamps depends on it.
	Clock func() time.Time
}

const (
	defaultStopTimeout = 5 * time.Second
	defaultStuckAfter  = 10 * time.Second
)

// withDefaults returns a checked copy; the error joins all problems.
func (c Config) withDefaults() (Config, error) {
	if c.Services == 0 {
		c.Services = AllServices
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = defaultStopTimeout
	}
	if c.StuckAfter == 0 {
		c.StuckAfter = defaultStuckAfter
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Trace = c.Trace.WithDefaults()
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: channel config: "+format, args...))
	}
	if c.Services&^AllServices != 0 {
		bad("Services %#x: want a combination of the four services", uint8(c.Services))
	}
	if c.Services.Has(SendData) && c.Sender == nil {
		bad("Sender: required by the service SendData")
	}
	if c.Services.Has(ReceiveData) && c.Receiver == nil {
		bad("Receiver: required by the service ReceiveData")
	}
	if c.Services.Has(SendMembers) && !c.Services.Has(ReceiveData) && c.Membership != nil {
		bad("Services: SendMembers announces a receiver, so it needs ReceiveData")
	}
	if c.StopTimeout < 0 {
		bad("StopTimeout %v: want a positive duration", c.StopTimeout)
	}
	if !isName(c.Name) {
		bad("Name %q: want at most %d bytes and no control characters", c.Name, maxName)
	}
	c.checkLayers(bad)
	if err := c.checkLocal(); err != nil {
		bad("Local: %w", err)
	}
	return c, errors.Join(errs...)
}

// checkLayers looks for layers that are none, or listed twice.
func (c Config) checkLayers(bad func(format string, args ...any)) {
	for i, layer := range c.Interceptors {
		if layer == nil {
			bad("Interceptors[%d]: nil, want a layer", i)
			continue
		}
		t := reflect.TypeOf(layer)
		if t.Kind() != reflect.Pointer || t.Elem().Size() == 0 {
			continue // nobody can tell two of them apart
		}
		if slices.Index(c.Interceptors, layer) < i {
			bad("Interceptors: one %s is listed twice, want each once", layerName(layer))
		}
	}
}

// maxName is the largest size of a name in bytes.
const maxName = 255

// isName reports whether s can be shown in one line.
func isName(s string) bool {
	return len(s) <= maxName && !strings.ContainsFunc(s, unicode.IsControl)
}

// checkLocal looks at what is known of the local member before the start.
func (c Config) checkLocal() error {
	a := c.Local
	if c.Services.Has(ReceiveData) { // it will say where
		a.Host, a.Port, a.SecurePort, a.UDPPort = netip.IPv4Unspecified(), 0, membership.NoPort, membership.NoPort
	}
	_, err := membership.New(a)
	return err
}
