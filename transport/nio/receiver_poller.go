package nio

import "fmt"

// Poller says how a [Receiver] waits for bytes and reads them.
type Poller uint8

// The pollers.
const (
	// PollerAuto is the one that measured best on the system: the runtime's. If the
	// measurements of package bench say otherwise for your load, choose.
	PollerAuto Poller = iota
	// PollerRuntime has a goroutine per connection and leaves the waiting to the
	// Go runtime. It works on every system and with every listener.
	PollerRuntime
	// PollerEpoll has few goroutines that wait for many connections each, by
	// epoll. It needs Linux and a TCP listener; connections that are silent cost
	// no memory for reading.
	PollerEpoll
)

// autoPoller is what PollerAuto stands for.
const autoPoller = PollerRuntime

var pollerNames = [...]string{PollerAuto: "auto", PollerRuntime: "runtime", PollerEpoll: "epoll"}

// ParsePoller reads auto, runtime or epoll.
func ParsePoller(s string) (Poller, error) {
	for p, name := range pollerNames {
		if name == s {
			return Poller(p), nil
		}
	}
	return PollerAuto, fmt.Errorf("tribes: poller %q: want auto, runtime or epoll", s)
}

// String returns the word that ParsePoller understands.
func (p Poller) String() string {
	if int(p) < len(pollerNames) {
		return pollerNames[p]
	}
	return fmt.Sprintf("poller %d", uint8(p))
}
