package static

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

const layerName = "static"

// The reasons for which a message is dropped.
const (
	dropMalformed = "malformed static membership message"
	dropNoMember  = "static membership message without a member"
	dropThird     = "static membership message about a third party"
	dropKind      = "unknown kind of static membership message"
	dropAddress   = "member address that cannot be dialled"
	dropBusy      = "too many questions of static membership"
	dropStray     = "answer to no question of static membership"
	dropStopped   = "static membership has stopped"
)

// messageLimits bound the objects of a static membership. Theirs hold one
// member.
var messageLimits = javaser.Limits{Depth: 32, Values: 1024, Handles: 256, Bytes: 256 << 10}

// rpcIDWithin is how far from the start of a remote call the id of its channel
// begins at the latest.
const rpcIDWithin = 512

// mark is the id of a membership as it stands in objects.
func mark(id []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(id))), id...)
}

// BindDown implements channel.Interceptor.
func (s *Service) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if s.host != nil {
		return below, errors.New("tribes: static: the service is a layer of another channel already")
	}
	s.host, s.send = h, below.Send
	h.OnDrain(s.drain)
	return below, nil
}

// BindUp implements channel.Interceptor. Messages of this membership end here;
// all others pass as they are. A remote call that the service does not take part
// in, as it is not started or was stopped, passes too, so that the layers above
// can say that nobody serves it.
func (s *Service) BindUp(above channel.Up) channel.Up {
	next := above.Receive
	above.Receive = func(ctx context.Context, m *message.Message) error {
		if m.Source != nil {
			s.sign(m.Source)
		}
		if m.Options.Has(message.ByteMessage) {
			return next(ctx, m)
		}
		switch p := m.Payload(); {
		case javaser.IsRPC(p) && bytes.Contains(p[:min(len(p), rpcIDWithin+len(s.mark))], s.mark):
			return s.receiveCall(ctx, m, next)
		case javaser.IsMemberMessage(p) && bytes.Contains(p, s.mark):
			return s.receiveNotice(ctx, m, next)
		}
		return next(ctx, m)
	}
	return above
}

// receiveCall takes questions and answers.
func (s *Service) receiveCall(ctx context.Context, m *message.Message, next channel.ReceiveFunc) error {
	call, err := javaser.DecodeRPC(m.Payload(), messageLimits)
	switch {
	case err != nil:
		return s.discard(m, dropMalformed)
	case !bytes.Equal(call.ID, s.id):
		return next(ctx, m)
	case call.NoChannel:
		if !s.settle(call.UUID, answer{}) {
			return s.discard(m, dropStray)
		}
		return nil
	}
	mm, _ := call.Message.(*javaser.MemberMessage)
	about, why := s.about(m, mm)
	switch {
	case why != "":
		return s.discard(m, why)
	case call.Reply:
		return s.receiveAnswer(m, call, answer{member: about, uid: mm.Member.UID})
	case mm.Type != javaser.MemberStart && mm.Type != javaser.MemberPing:
		return s.discard(m, dropKind)
	}
	s.meet(about, mm.Member.UID)
	if !s.answers(about) {
		return next(ctx, m)
	}
	if why := s.reply(m.Source, mm.Type, mm.Member.UID, call.UUID); why != "" {
		return s.discard(m, why)
	}
	return nil
}

// receiveAnswer takes an answer; one that comes late is a sign of life still.
func (s *Service) receiveAnswer(m *message.Message, call *javaser.RPC, got answer) error {
	if s.settle(call.UUID, got) {
		return nil
	}
	s.meet(got.member, got.uid)
	return nil
}

// answers reports whether m is answered.
func (s *Service) answers(m *membership.Member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		a := s.askers[home(m)]
		return s.active() && s.env.Announce && a != nil && a.member != nil && a.member.Key() == m.Key()
	}
	return s.active() && s.env.Announce
}

// receiveNotice takes what is said without a call, such as a goodbye.
func (s *Service) receiveNotice(ctx context.Context, m *message.Message, next channel.ReceiveFunc) error {
	mm, err := javaser.DecodeMemberMessage(m.Payload(), messageLimits)
	switch {
	case err != nil:
		return s.discard(m, dropMalformed)
	case !bytes.Equal(mm.MembershipID, s.id):
		return next(ctx, m)
	}
	about, why := s.about(m, mm)
	if why != "" {
		return s.discard(m, why)
	}
	switch mm.Type {
	case javaser.MemberStop:
		s.left(about)
	case javaser.MemberStart, javaser.MemberPing:
		s.meet(about, mm.Member.UID)
	default:
		return s.discard(m, dropKind)
	}
	return nil
}

// discard counts a message that goes no further.
func (s *Service) discard(m *message.Message, why string) error {
	s.host.Trace().MessageDropped(layerName, m.Source, m.ID, why)
	return nil
}

// maxAlive bounds the alive times that are believed: Java writes the time of
// day where it re-encodes a member.
const maxAlive = 10 * 365 * 24 * 3600 * 1000

// about decodes the member that a message is about, which must be its sender,
// or says what is wrong.
func (s *Service) about(from *message.Message, mm *javaser.MemberMessage) (m *membership.Member, wrong string) {
	if mm == nil || mm.Member == nil {
		return nil, dropNoMember
	}
	m, size, err := membership.Decode(mm.Member.Image)
	switch {
	case err != nil || size != len(mm.Member.Image):
		return nil, dropMalformed
	case from.Source == nil || from.Source.Key() != m.Key():
		return nil, dropThird
	case !m.Dialable():
		return nil, dropAddress
	}
	if a := m.Attributes().Alive; a < 0 || a > maxAlive {
		if m, err = m.With(func(a *membership.Attributes) { a.Alive = 0 }); err != nil {
			return nil, dropMalformed
		}
	}
	return m, ""
}
