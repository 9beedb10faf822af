package interceptortest

import (
	"context"
	"slices"
	"sync"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Fault is one call of the highest layer's Up.Fault.
type Fault struct {
	Member *membership.Member
	ID     message.ID
	Err    error
}

// Top stands for the application: it notes what the highest layer delivers.
type Top struct {
	mu       sync.Mutex
	received []*message.Message
	events   []membership.Event
	faults   []Fault
	views    []*membership.Agreed
	handle   func(ctx context.Context, m *message.Message) error
	watch    func(ev membership.Event)
	accept   func(v *membership.Agreed)
}

// Handle makes f the application's listener: it is called after a message was
// noted, and its error goes back down.
func (t *Top) Handle(f func(ctx context.Context, m *message.Message) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handle = f
}

// Watch makes f be called with each event after it was noted.
func (t *Top) Watch(f func(ev membership.Event)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watch = f
}

func (t *Top) receive(ctx context.Context, m *message.Message) error {
	t.mu.Lock()
	t.received = append(t.received, m.Clone())
	handle := t.handle
	t.mu.Unlock()
	if handle == nil {
		return nil
	}
	return handle(ctx, m)
}

func (t *Top) event(ev membership.Event) {
	t.mu.Lock()
	t.events = append(t.events, ev)
	watch := t.watch
	t.mu.Unlock()
	if watch != nil {
		watch(ev)
	}
}

func (t *Top) fault(m *membership.Member, id message.ID, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, Fault{m, id, err})
}

func (t *Top) agree(v *membership.Agreed) {
	t.mu.Lock()
	t.views = append(t.views, v)
	accept := t.accept
	t.mu.Unlock()
	if accept != nil {
		accept(v)
	}
}

// Accept makes f be called with each agreed view after it was noted.
func (t *Top) Accept(f func(v *membership.Agreed)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accept = f
}

// Views returns the agreed views so far, in order.
func (t *Top) Views() []*membership.Agreed {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.views)
}

// Received returns copies of the messages delivered so far, in order.
func (t *Top) Received() []*message.Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.received)
}

// Events returns the events so far, in order.
func (t *Top) Events() []membership.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.events)
}

// Faults returns the faults so far, in order.
func (t *Top) Faults() []Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.faults)
}

// Reset forgets what was noted so far.
func (t *Top) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received, t.events, t.faults, t.views = nil, nil, nil, nil
}
