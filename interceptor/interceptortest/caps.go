package interceptortest

import (
	"sync"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// knownCaps is what members have told of themselves.
type knownCaps struct {
	mu  sync.Mutex
	all map[membership.Key]message.Caps
}

// Announced returns the extensions that the layers have announced.
func (h *Harness) Announced() message.Caps { return h.announced }

// Learn lets m tell, as by an answer, that it understands the extensions c.
func (h *Harness) Learn(m *membership.Member, c message.Caps) {
	h.known.mu.Lock()
	defer h.known.mu.Unlock()
	if h.known.all == nil {
		h.known.all = make(map[membership.Key]message.Caps)
	}
	h.known.all[m.Key()] = c
}

func (h *Harness) understands(m *membership.Member) message.Caps {
	h.known.mu.Lock()
	defer h.known.mu.Unlock()
	return h.known.all[m.Key()]
}
