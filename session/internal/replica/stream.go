package replica

import (
	"context"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// window is how many blocks of one answer are on the way to a peer, or being processed by
// it, at the same time.
const window = 4

// stream sends blocks to a peer. It belongs to one goroutine.
type stream struct {
	p      *peer
	gift   bool // nobody has asked for them
	ctx    context.Context
	cancel context.CancelFunc // of what was not sent yet
	ended  chan error         // has room for the outcomes of the window
	open   int                // blocks whose outcome is not known
	body   []byte
}

func newStream(ctx context.Context, p *peer, gift bool) *stream {
	s := &stream{p: p, gift: gift, ended: make(chan error, window)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// send sends a block when there is room in the window. It borrows b. The error may be that
// of a block before.
func (s *stream) send(b *sessionwire.StateBlock) error {
	if s.open == window {
		if err := s.settle(); err != nil {
			return err
		}
	}
	m := s.p.Member()
	s.body = sessionwire.Append(s.body[:0], b)
	_, err := s.p.e.topic.Post(s.ctx, []*membership.Member{m}, s.body, message.Sync, func(_ message.ID, err error) { s.ended <- err })
	if err == nil {
		s.open++
	}
	return err
}

// flush waits until all blocks were processed.
func (s *stream) flush() error {
	for s.open > 0 {
		if err := s.settle(); err != nil {
			return err
		}
	}
	return nil
}

// settle waits for the next outcome. A gift of which something is refused is none that
// has failed: a session that is refused costs no other.
func (s *stream) settle() error {
	stall := time.NewTimer(s.p.e.cfg.Stall)
	defer stall.Stop()
	select {
	case err := <-s.ended:
		s.open--
		if err != nil && s.gift && peers.Refusal(err) && !s.p.e.peers.Estranging(err) {
			s.p.e.peers.Tell(slog.LevelWarn, "sessions were refused", s.p.Member(), "err", err)
			s.p.e.n.rejected.Add(1)
			return nil
		}
		return err
	case <-stall.C:
		return errStalled
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}
