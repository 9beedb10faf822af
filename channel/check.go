package channel

import (
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// stacked is a layer in its place, with what it says of itself.
type stacked struct {
	Traits
	name  string
	layer Interceptor
}

// stack is what is checked: layers from the top down, and what is below them.
type stack struct {
	layers []stacked
	limits Limits // the lower one of sender and receiver
	head   int    // bytes of a frame beside its payload
	errs   []error
}

// checkStack looks for what cannot work together. The error joins everything
// that is wrong, and says what to do about it.
func (c *Config) checkStack() error {
	s := stack{limits: limitsOf(c.Sender), head: c.frameHead()}
	if l := limitsOf(c.Receiver); s.limits.MaxFrame == 0 || l.MaxFrame > 0 && l.MaxFrame < s.limits.MaxFrame {
		s.limits.MaxFrame = l.MaxFrame
	}
	for _, layer := range c.Interceptors {
		if layer == nil {
			continue // withDefaults has said so
		}
		one := stacked{name: layerName(layer), layer: layer}
		if t, ok := layer.(Checked); ok {
			one.Traits = t.Traits()
		}
		s.layers = append(s.layers, one)
	}
	for i := range s.layers {
		s.checkLayer(i)
		for j := range i {
			s.checkPair(&s.layers[j], &s.layers[i])
		}
	}
	return errors.Join(s.errs...)
}

func limitsOf(part any) Limits {
	if l, ok := part.(Limited); ok {
		return l.Limits()
	}
	return Limits{}
}

// frameHead is the size of a frame without payload, for the longest address.
func (c *Config) frameHead() int {
	a := c.Local
	m := message.Message{Source: new(membership.Member)}
	return message.FrameSize(&m) - m.Source.ImageSize() +
		membership.MinImage + ipv6Longer + len(a.Command) + len(a.Domain) + len(a.Payload)
}

// ipv6Longer is by how many bytes an IPv6 address is longer than an IPv4 one.
const ipv6Longer = 12

func (s *stack) bad(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("tribes: channel: stack: "+format, args...))
}

// checkPair looks at two layers, the first of which is above the second.
func (s *stack) checkPair(above, below *stacked) {
	if above.Probes && below.Transforms {
		s.bad("%s stands below %s, whose probes it would change on one side only: put %s below it",
			below.name, above.name, above.name)
	}
	if above.Prompt && below.Transforms && !below.Encrypts {
		s.bad("%s stands below %s, whose own messages it would change or keep: put %s below it",
			below.name, above.name, above.name)
	}
	if above.Detects && below.Detects {
		s.bad("%s stands above another %s: leave one of them out", above.name, below.name)
	}
	if above.Splits && below.NeedsUniqueIDs {
		s.bad("%s stands below %s, which sends the parts of a message with one id: put %s above it, and each once",
			below.name, above.name, below.name)
	}
	if above.Encrypts && below.Confidential {
		s.bad("%s stands below %s, so what it sends by itself would go in the clear: put it above",
			below.name, above.name)
	}
	if above.Encrypts && below.Encrypts {
		s.bad("%s stands above another %s: leave one of them out", above.name, below.name)
	}
	if both := above.Marks & below.Marks; both != 0 {
		s.bad("%s and %s both mark messages with the option %s: give one of them another OptionFlag",
			above.name, below.name, both)
	}
	s.checkFlags(above, below)
	s.checkFlags(below, above)
}

// checkFlags looks whether other uses an option that l takes for its own.
func (s *stack) checkFlags(l, other *stacked) {
	if both := l.Marks & other.Selects; both != 0 {
		s.bad("%s marks messages with the option %s, by which %s selects what to act on: give one of them another OptionFlag",
			l.name, both, other.name)
	}
}

// checkLayer looks at a layer and what is below it.
func (s *stack) checkLayer(i int) {
	l := &s.layers[i]
	s.checkSize(i)
	if l.AwaitsAcks > 0 && l.AwaitsAcks <= s.limits.AckTimeout {
		s.bad("%s keeps messages for %v, and the sender waits for acks for %v: a message may be dropped before its confirmation can come; make Expire longer than the ack timeout",
			l.name, l.AwaitsAcks, s.limits.AckTimeout.Round(time.Millisecond))
	}
	for _, needed := range l.Above {
		if !s.has(needed, i+1) {
			s.bad("%s works with a %s that does not stand below it: put that into the same stack, below it",
				l.name, layerName(needed))
		}
	}
}

// has reports whether a layer stands at from or below.
func (s *stack) has(layer Interceptor, from int) bool {
	for _, l := range s.layers[from:] {
		if l.layer == layer {
			return true
		}
	}
	return false
}

// checkSize looks whether the largest message that a layer hands down fits into a
// frame.
func (s *stack) checkSize(i int) {
	l := &s.layers[i]
	if l.MaxPayload == 0 || s.limits.MaxFrame == 0 {
		return
	}
	size := l.MaxPayload
	for _, below := range s.layers[i+1:] {
		if below.MaxPayload > 0 {
			return // which is looked at by itself
		}
		size += below.Adds
	}
	if frame := size + s.head; frame > s.limits.MaxFrame {
		s.bad("%s sends up to %d bytes at a time, which make a frame of %d with what is added to them, and MaxFrame is %d: make one smaller or the other larger",
			l.name, l.MaxPayload, frame, s.limits.MaxFrame)
	}
}
