package interceptortest

import (
	"context"
	"slices"
	"sync"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Sent is one call of the lowest layer to what is below it.
type Sent struct {
	To      []*membership.Member
	Message *message.Message // a copy, as it was handed down
}

// Bottom stands for sender and membership. It notes each message and settles
// it: Acknowledged if it asks for an ack, else Written.
type Bottom struct {
	mu      sync.Mutex
	sent    []Sent
	changed chan struct{} // closed at the next change of sent
	use     channel.SendFunc
	holding bool
	held    []func(err error) // settles with an error, or as usual
	closed  bool
	members []*membership.Member
	seq     uint64
}

func newBottom() *Bottom { return &Bottom{changed: make(chan struct{})} }

// send is the SendFunc of the bottom.
func (b *Bottom) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	b.mu.Lock()
	use, closed := b.use, b.closed
	b.mu.Unlock()
	switch {
	case closed:
		return channel.ErrClosed
	case use != nil:
		return use(ctx, to, m, r)
	}
	return b.Take(ctx, to, m, r)
}

// Use makes f take what the lowest layer sends, until Use(nil). f can call Take.
func (b *Bottom) Use(f channel.SendFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.use = f
}

// Take notes a message, spoils its bytes and settles it, or holds it; see Hold.
// It is what a bottom does if not told otherwise.
func (b *Bottom) Take(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	b.Note(to, m)
	outcome := message.Written
	if m.Options.Acked() {
		outcome = message.Acknowledged
	}
	to = slices.Clone(to)
	settle := func(err error) {
		if err != nil {
			r.SettleAll(to, message.NotSent, err)
			return
		}
		r.SettleAll(to, outcome, nil)
	}
	b.mu.Lock()
	if b.holding && !b.closed {
		b.held = append(b.held, settle)
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	settle(nil)
	return nil
}

// Note notes a message and spoils its bytes, as the layers of a real stack may.
func (b *Bottom) Note(to []*membership.Member, m *message.Message) {
	s := Sent{To: slices.Clone(to), Message: m.Clone()}
	if p := m.Payload(); len(p) > 0 {
		first := p[0]
		clear(p)
		p[0] = ^first
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, s)
	close(b.changed)
	b.changed = make(chan struct{})
}

// Hold lets messages be accepted and not settled, until Release.
func (b *Bottom) Hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

// Release settles what is held and ends a Hold. It returns how many calls of
// the lowest layer were held.
func (b *Bottom) Release() int { return b.release(nil) }

func (b *Bottom) release(err error) int {
	b.mu.Lock()
	held := b.held
	b.held, b.holding = nil, false
	b.mu.Unlock()
	for _, settle := range held {
		settle(err)
	}
	return len(held)
}

// close settles what is held as a sender does that is stopped.
func (b *Bottom) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.release(channel.ErrClosed)
}

// Sent returns what was handed down so far, in order.
func (b *Bottom) Sent() []Sent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sent)
}

// SentTo returns the messages that were handed down for one member, in order.
func (b *Bottom) SentTo(m *membership.Member) []*message.Message {
	var all []*message.Message
	for _, s := range b.Sent() {
		for _, to := range s.To {
			if to.Key() == m.Key() {
				all = append(all, s.Message)
			}
		}
	}
	return all
}

// WaitSent waits until at least n calls were handed down, or ctx ends; it
// returns what there is then.
func (b *Bottom) WaitSent(ctx context.Context, n int) []Sent {
	for {
		b.mu.Lock()
		sent, changed := slices.Clone(b.sent), b.changed
		b.mu.Unlock()
		if len(sent) >= n {
			return sent
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return sent
		}
	}
}

// Reset forgets what was sent so far.
func (b *Bottom) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = nil
}

// View returns the members that were joined below and did not part.
func (b *Bottom) View() *membership.View {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &membership.View{Seq: b.seq, Members: slices.Clone(b.members)}
}

func (b *Bottom) seen(m *membership.Member, present bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	b.members = slices.DeleteFunc(b.members, func(x *membership.Member) bool { return x.Key() == m.Key() })
	if present {
		b.members = append(b.members, m)
	}
}
