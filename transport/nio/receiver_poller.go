package nio

import "fmt"

// Poller says how a [Receiver] waits for bytes and reads them.
type Poller uint8

// The pollers.
const (
	// PollerAuto is the one that measured best for the connections of a group, on
	// every system: PollerRuntime.
	PollerAuto Poller = iota
	// PollerRuntime has a goroutine per connection, which also delivers what it
	// reads as long as deliveries are short, and leaves the waiting to the Go
	// runtime. It works on every system and with every listener.
	PollerRuntime
	// PollerEpoll has few goroutines that wait for many connections each, by
	// epoll. It needs Linux and a TCP listener. For thousands of connections it
	// needs less memory: a silent one has neither a goroutine nor a buffer.
	PollerEpoll
)

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
