package static

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

const layerName = "static"

// callID matches an answer to its question.
type callID [16]byte

// BindDown implements channel.Interceptor.
func (s *Service) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	s.host, s.send = h, below.Send
	return below, nil
}

// BindUp implements channel.Interceptor. Messages of this membership end here.
func (s *Service) BindUp(above channel.Up) channel.Up {
	next := above.Receive
	above.Receive = func(ctx context.Context, m *message.Message) error {
		if m.Options.Has(message.ByteMessage) {
			return next(ctx, m)
		}
		switch p := m.Payload(); {
		case javaser.IsRPC(p):
			return s.receiveCall(ctx, m, next)
		case javaser.IsMemberMessage(p):
			return s.receiveNotice(ctx, m, next)
		}
		return next(ctx, m)
	}
	return above
}

// receiveCall takes questions and answers.
func (s *Service) receiveCall(ctx context.Context, m *message.Message, next channel.ReceiveFunc) error {
	call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
	if err != nil || !bytes.Equal(call.ID, s.id) {
		return next(ctx, m)
	}
	if call.NoChannel {
		s.settle(call.UUID, nil)
		return nil
	}
	mm, ok := call.Message.(*javaser.MemberMessage)
	if !ok {
		return s.drop(m, "no member in the call")
	}
	about, err := s.member(mm)
	if err != nil {
		return s.drop(m, err.Error())
	}
	if call.Reply {
		s.settle(call.UUID, about)
		return nil
	}
	if mm.Type != javaser.MemberStart && mm.Type != javaser.MemberPing {
		return s.drop(m, "unknown question")
	}
	s.heard(about)
	return s.answer(ctx, m.Source, call.UUID, mm.Type)
}

// receiveNotice takes goodbyes.
func (s *Service) receiveNotice(ctx context.Context, m *message.Message, next channel.ReceiveFunc) error {
	mm, err := javaser.DecodeMemberMessage(m.Payload(), javaser.Limits{})
	if err != nil || !bytes.Equal(mm.MembershipID, s.id) {
		return next(ctx, m)
	}
	about, err := s.member(mm)
	if err != nil {
		return s.drop(m, err.Error())
	}
	switch mm.Type {
	case javaser.MemberStop:
		s.left(about)
	case javaser.MemberStart, javaser.MemberPing:
		s.heard(about)
	default:
		return s.drop(m, "unknown notice")
	}
	return nil
}

func (s *Service) drop(m *message.Message, why string) error {
	s.host.Trace().MessageDropped(layerName, m.Source, m.ID, why)
	return nil
}

// maxAlive bounds the alive times that are believed: Java writes the time of
// day where it re-encodes a member.
const maxAlive = 10 * 365 * 24 * 3600 * 1000

// member decodes the member that a message is about.
func (s *Service) member(mm *javaser.MemberMessage) (*membership.Member, error) {
	if mm.Member == nil {
		return nil, fmt.Errorf("no member in the message")
	}
	m, _, err := membership.Decode(mm.Member.Image)
	if err != nil {
		return nil, err
	}
	if a := m.Attributes().Alive; a >= 0 && a <= maxAlive {
		return m, nil
	}
	return m.With(func(a *membership.Attributes) { a.Alive = 0 })
}

// call asks a member who it is and tells it who we are. A member that is not
// known yet is asked with START, as in Tribes.
func (s *Service) call(ctx context.Context, to *membership.Member, known bool) (*membership.Member, error) {
	var id callID
	rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	kind := javaser.MemberStart
	if known {
		kind = javaser.MemberPing
	}
	answer := make(chan *membership.Member, 1)
	s.mu.Lock()
	s.calls[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.calls, id)
		s.mu.Unlock()
	}()
	failed := make(chan error, 1)
	if err := s.sendCall(ctx, to, id[:], kind, false, failed); err != nil {
		return nil, err
	}
	for {
		select {
		case m := <-answer:
			if m == nil {
				return nil, fmt.Errorf("tribes: static: %s: no static membership of this name there", to)
			}
			return m, nil
		case err := <-failed:
			if err != nil {
				return nil, err
			}
			failed = nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// settle gives an answer to whoever waits for it. Late answers count too.
func (s *Service) settle(id []byte, m *membership.Member) {
	s.mu.Lock()
	var waiting chan<- *membership.Member
	if len(id) == len(callID{}) {
		waiting = s.calls[callID(id)]
		delete(s.calls, callID(id))
	}
	s.mu.Unlock()
	if waiting != nil {
		waiting <- m
	} else if m != nil {
		s.heard(m)
	}
}

func (s *Service) answer(ctx context.Context, to *membership.Member, id []byte, kind int32) error {
	s.mu.Lock()
	active := s.active() && s.env.Announce
	s.mu.Unlock()
	if !active {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return s.sendCall(ctx, to, id, kind, true, make(chan error, 1))
}

// sendCall sends a question or an answer. The outcome of the send goes to failed,
// which needs room for one value.
func (s *Service) sendCall(ctx context.Context, to *membership.Member, id []byte, kind int32, reply bool, failed chan<- error) error {
	mm, err := s.memberMessage(kind, "")
	if err != nil {
		return err
	}
	b, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: reply, UUID: id, ID: s.id, Message: mm})
	if err != nil {
		return err
	}
	m := s.object(b)
	defer m.Release()
	dest := []*membership.Member{to}
	r := message.NewReceipt(1, func(r *message.Receipt) {
		if r.OK() {
			failed <- nil
			return
		}
		failed <- &message.SendError{Results: r.Results(dest, nil)}
	})
	return s.send(ctx, dest, m, r)
}

// object is a message from here that holds a Java object.
func (s *Service) object(b []byte) *message.Message {
	m := s.host.NewMessage(len(b))
	copy(m.Payload(), b)
	m.Options = message.Async
	return m
}

func (s *Service) stopMessage() (*message.Message, error) {
	mm, err := s.memberMessage(javaser.MemberStop, membership.LeaveCommand)
	if err != nil {
		return nil, err
	}
	b, err := javaser.Append(nil, mm)
	if err != nil {
		return nil, err
	}
	return s.object(b), nil
}

func (s *Service) memberMessage(kind int32, command string) (*javaser.MemberMessage, error) {
	local, err := s.now()
	if err == nil && command != "" {
		local, err = local.With(func(a *membership.Attributes) { a.Command = command })
	}
	if err != nil {
		return nil, err
	}
	image := &javaser.Member{Image: []byte(local.Image()), UID: s.cfg.JavaUID}
	return &javaser.MemberMessage{Type: kind, Member: image, MembershipID: s.id}, nil
}
