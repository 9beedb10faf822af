package static

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// sending is a message on its way.
type sending struct {
	to      []*membership.Member
	id      message.ID
	receipt *message.Receipt
}

// outcome is what became of it, once its receipt is done.
func (s *sending) outcome() error {
	if s.receipt.OK() {
		return nil
	}
	return &message.SendError{ID: s.id, Results: s.receipt.Results(s.to, nil)}
}

// sendCall sends a question or an answer.
func (s *Service) sendCall(ctx context.Context, to *membership.Member, kind int32, uid int64, id []byte, reply bool) (*sending, error) {
	mm, err := s.memberMessage(kind, uid, "")
	if err != nil {
		return nil, err
	}
	b, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: reply, UUID: id, ID: s.id, Message: mm})
	if err != nil {
		return nil, err
	}
	return s.sendObject(ctx, []*membership.Member{to}, b)
}

// sendObject sends a Java object; b is borrowed. It asks the Dispatch layer to
// queue it, as Tribes does. If the queue has no room, or is closed, as it is at
// the goodbye, the object goes past it: whether we live must not depend on what
// the application has queued.
func (s *Service) sendObject(ctx context.Context, to []*membership.Member, b []byte) (*sending, error) {
	queue, cancel := context.WithTimeout(ctx, s.cfg.Ping/2)
	defer cancel()
	sent, err := s.sendAs(queue, message.Async, to, b)
	if err != nil && ctx.Err() == nil {
		sent, err = s.sendAs(ctx, 0, to, b)
	}
	return sent, err
}

func (s *Service) sendAs(ctx context.Context, o message.Options, to []*membership.Member, b []byte) (*sending, error) {
	m := s.host.NewMessage(len(b))
	defer m.Release()
	copy(m.Payload(), b)
	m.Options = o
	sent := &sending{to: to, id: m.ID, receipt: message.NewReceipt(len(to), nil)}
	if err := s.send(ctx, to, m, sent.receipt); err != nil {
		return nil, err
	}
	return sent, nil
}

// memberMessage says something about the local member, as it is now.
func (s *Service) memberMessage(kind int32, uid int64, command string) (*javaser.MemberMessage, error) {
	s.mu.Lock()
	local, started := s.local, s.started
	s.mu.Unlock()
	if command != "" {
		var err error
		if local, err = local.With(func(a *membership.Attributes) { a.Command = command }); err != nil {
			return nil, err
		}
	}
	image := local.AppendImage(nil, time.Since(started).Milliseconds())
	return &javaser.MemberMessage{
		Type:         kind,
		Member:       &javaser.Member{Image: image, UID: uid},
		MembershipID: s.id,
	}, nil
}

// lastWord is the time for a goodbye where the stop has none left.
const lastWord = 100 * time.Millisecond

// timeFor is ctx, or a short time if it has ended: without a goodbye the others would wait
// for us until Expiration.
func timeFor(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithTimeout(ctx, limit)
	}
	return context.WithTimeoutCause(context.WithoutCancel(ctx), min(limit, lastWord), context.Cause(ctx))
}

// goodbye tells everybody that the local member leaves, and waits until the
// words are out or the time for that is over.
func (s *Service) goodbye(ctx context.Context) error {
	ctx, cancel := timeFor(ctx, s.cfg.Timeout)
	defer cancel()
	var all []*sending
	var errs []error
	for uid, to := range s.acquaintances() {
		sent, err := s.sendGoodbye(ctx, to, uid)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, sent)
	}
	for _, sent := range all {
		select {
		case <-sent.receipt.Done():
		case <-ctx.Done():
			sent.receipt.Abandon()
			errs = append(errs, fmt.Errorf("tribes: static: goodbye: %w", context.Cause(ctx)))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) sendGoodbye(ctx context.Context, to []*membership.Member, uid int64) (*sending, error) {
	mm, err := s.memberMessage(javaser.MemberStop, uid, membership.LeaveCommand)
	if err != nil {
		return nil, err
	}
	b, err := javaser.Append(nil, mm)
	if err != nil {
		return nil, err
	}
	return s.sendObject(ctx, to, b)
}

// acquaintances are all who may have taken the local member for one, by the uid
// that they understand.
func (s *Service) acquaintances() map[int64][]*membership.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[int64][]*membership.Member)
	for _, a := range s.askers {
		if a.member != nil {
			all[a.uid] = append(all[a.uid], a.member)
		}
	}
	for _, st := range s.strangers {
		if st.told {
			all[st.uid] = append(all[st.uid], st.member)
		}
	}
	return all
}
