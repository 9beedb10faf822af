package group

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/message"
)

// request takes a request from the reader.
func (l *rpc) request(m *message.Message, call *javaser.RPC, t *ticket, ours bool) {
	var s *server
	if r := l.find(call.ID); r != nil && l.state.Load() == rpcOpen {
		s = r.server.Load()
	}
	if s == nil {
		l.refuse(m, call, t, ours, ErrNoHandler)
		return
	}
	if err := s.take(newJob(s.id, m, call, t, ours)); err != nil {
		l.refuse(m, call, t, ours, err)
	}
}

// replyPatience is how long a reply to a Java node waits for room in the queue to it.
const replyPatience = 5 * time.Second

// call runs the handler; a panic in it becomes an error.
func (s *server) call(ctx context.Context, j *job) (b Body, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.l.counts.panics.Add(1)
			s.l.host.Logger().Error("handler panicked", "rpc", s.id, "member", j.req.From, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("handler panicked: %v", p)
		}
	}()
	return s.handle(ctx, &j.req)
}

// answerJob sends what a handler has returned.
func (l *rpc) answerJob(ctx context.Context, id string, j *job, b *Body, failure error) {
	if failure == nil && len(b.Bytes) > l.cfg.MaxReply {
		failure = tooLarge("reply", len(b.Bytes), l.cfg.MaxReply)
	}
	if failure == nil {
		m, err := rpcMessage(l.host, true, j.uuid, id, b)
		if err == nil {
			m.Options = l.replyOptions(j.ours) | j.secure
			err = l.post(ctx, j.req.From, m)
		}
		if err == nil {
			return
		}
		failure = err // it cannot be sent: too large, or no Java object
	}
	m, err := l.failure(j.uuid, id, j.secure, failure)
	if err == nil {
		err = l.post(ctx, j.req.From, m)
	}
	if err != nil {
		l.lost(j.req.From, message.ID{}, err)
	}
}

// refuse tells a caller at once that its request is not processed. It does not block:
// who cannot be told now is not told.
func (l *rpc) refuse(m *message.Message, call *javaser.RPC, t *ticket, ours bool, why error) {
	count := &l.counts.noHandler
	if why == ErrBusy {
		count = &l.counts.busy
	}
	count.Add(1)
	if ours && t.flags&noReplyWanted != 0 {
		return
	}
	answer, err := l.failure(call.UUID, string(call.ID), m.Options&message.Secure, why)
	if err != nil {
		l.lost(m.Source, m.ID, err)
		return
	}
	to, id := m.Source, answer.ID
	ok := l.refused.put(answer.Len(), func() {
		if err := l.post(noWait, to, answer); err != nil {
			l.lost(to, id, err)
		}
	})
	if !ok {
		answer.Release()
		l.lost(to, id, ErrQueueFull)
	}
}

// failure makes the answer that says why there is no reply. A Java node, which knows
// no reasons, is told what it would be if nobody served the call. The UUID is
// borrowed.
func (l *rpc) failure(uuid []byte, id string, secure message.Options, why error) (*message.Message, error) {
	_, ours := parseTicket(uuid)
	if why == ErrNoHandler || !ours {
		m, err := objectMessage(l.host, &javaser.RPC{Reply: true, NoChannel: true, UUID: uuid, ID: []byte(id)})
		if err == nil {
			m.Options = message.Async | secure
		}
		return m, err
	}
	var room [ticketSize]byte
	told := append(room[:0], uuid...)
	status, text := statusOf(why)
	told[ticketStatus] = status
	m, err := rpcMessage(l.host, true, told, id, &Body{Bytes: []byte(text)})
	if err == nil {
		m.Options = l.replyOptions(true) | secure
	}
	return m, err
}

// replyOptions are those of a reply. The last ones before the goodbye of this member
// are acknowledged when the calls have them, or the goodbye might come first and end
// the calls. No goroutine that brings messages waits for that, on either side; it is
// why Tribes never sends replies in this way.
func (l *rpc) replyOptions(ours bool) message.Options {
	if ours && l.state.Load() == rpcClosed {
		return message.Sync
	}
	return message.UseAck
}

// noWait is for sends that must not wait for room.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrQueueFull)
	return ctx
}()

// lost notes that a caller could not be answered.
func (l *rpc) lost(to *Member, id message.ID, err error) {
	l.counts.lost.Add(1)
	l.host.Trace().MessageDropped(rpcName, to, id, "answer could not be sent")
	if !errors.Is(err, ErrClosed) {
		l.host.Logger().Debug("answer to a remote call could not be sent", "member", to, "msg", id, "err", err)
	}
}
