package mem

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// maxStored is how many bytes of multicast messages a member keeps before it
// loses the next.
const maxStored = 1 << 20

// multicast is the part of a membership that sends and delivers messages.
type multicast struct {
	env    channel.Env // set by Open; its Pool is nil if Open was not called
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // tells run that something has changed
	done   chan struct{} // closed when run has ended

	mu     sync.Mutex
	inbox  queue[*message.Message]
	stored int // bytes in inbox
	last   bool
}

// Open implements channel.Broadcaster.
func (s *Membership) Open(env channel.Env) { s.multi.env = env }

// Broadcast implements channel.Broadcaster: m goes in one datagram to every
// other member that runs.
func (s *Membership) Broadcast(ctx context.Context, m *message.Message) error {
	size := message.FrameSize(m)
	if size > maxDatagram {
		return fmt.Errorf("tribes: mem: a frame of %d bytes for a datagram of %d: %w", size, maxDatagram, message.ErrTooLarge)
	}
	if err := s.node.awake(ctx); err != nil {
		return err
	}
	now := time.Now()
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	switch {
	case s.node.dead:
		return ErrCrashed
	case s.state == fresh:
		return channel.ErrNotStarted
	case s.state != running:
		return channel.ErrClosed
	}
	for _, to := range s.n.members {
		if to != s && to.env.Listen && to.multi.env.Deliver != nil {
			frame := s.multi.env.Pool.Get(size)
			message.AppendFrame(frame.Bytes()[:0], m, 0)
			s.send(to, datagram{from: s, frame: frame}, size, now)
		}
	}
	return nil
}

func (b *multicast) start(s *Membership) {
	b.wake, b.done = make(chan struct{}, 1), make(chan struct{})
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if b.env.Deliver == nil {
		close(b.done)
		return
	}
	go b.run() // ends after stop, which waits for it
}

// take parses a datagram and keeps its message until it can be delivered; like
// a socket it loses what it has no room for.
func (b *multicast) take(d datagram) {
	m, err := b.parse(d)
	d.frame.Release()
	if err != nil {
		b.env.Logger.Error("message in a datagram", "err", err) // it was made by message.AppendFrame
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last || b.stored > maxStored {
		m.Release()
		return
	}
	b.stored += m.Len()
	b.inbox.put(m)
	poke(b.wake)
}

func (b *multicast) parse(d datagram) (*message.Message, error) {
	data, _, err := message.Scan(d.frame.Bytes(), maxDatagram)
	if err != nil {
		return nil, err
	}
	f, err := message.ParseFrame(data)
	if err != nil {
		return nil, err
	}
	var source *membership.Member
	if source, err = f.DecodeSender(); err != nil {
		return nil, err
	}
	return b.env.Pool.FromFrame(&f, source, d.frame), nil
}

func (b *multicast) run() {
	defer close(b.done)
	for range b.wake {
		m, last := b.next()
		for ; m != nil; m, last = b.next() {
			_ = b.env.Deliver(b.ctx, m) // nobody asks for the outcome
			m.Release()
		}
		if last {
			return
		}
	}
}

// next returns a message, nil if there is none, and whether there will be more.
func (b *multicast) next() (m *message.Message, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inbox.len() == 0 {
		return nil, b.last
	}
	m = b.inbox.take()
	b.stored -= m.Len()
	return m, false
}

// finish lets nothing more be delivered.
func (b *multicast) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = true
	for b.inbox.len() > 0 {
		b.inbox.take().Release()
	}
	poke(b.wake)
}

// stop waits for the message that is being delivered; when ctx ends the
// listener's context does.
func (b *multicast) stop(ctx context.Context) error {
	b.finish()
	err := wait(ctx, b.done)
	b.cancel()
	<-b.done
	return err
}
