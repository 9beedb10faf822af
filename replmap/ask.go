package replmap

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

var (
	// errBusy is what a member is told whose question is to be asked again.
	errBusy = errors.New("tribes: replmap: busy, ask again")
	// errAnswer is the error of a question that was not answered.
	errAnswer = errors.New("tribes: replmap: no answer")
)

// question is something that a peer was asked.
type question struct {
	p       *peer
	digests map[uint8][]entry.Digest // that came with the answer; guarded by native.mu
	answer  chan mapwire.Message     // has room for one
}

// ask asks a peer and returns its answer. A peer that is busy is asked again. It fails when
// the peer has not answered for the stall time, is silent, or leaves.
func ask[A mapwire.Message](ctx context.Context, p *peer, m func(id uint64) mapwire.Message) (A, error) {
	a, _, err := askMore[A](ctx, p, m)
	return a, err
}

// askMore is ask for an answer that digests come before.
func askMore[A mapwire.Message](ctx context.Context, p *peer, m func(id uint64) mapwire.Message) (a A, digests map[uint8][]entry.Digest, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.n.stall, errAnswer)
	defer cancel()
	id, q := p.n.requests.Add(1), &question{p: p, digests: make(map[uint8][]entry.Digest), answer: make(chan mapwire.Message, 1)}
	p.n.mu.Lock()
	p.n.questions[id] = q
	p.n.mu.Unlock()
	defer func() {
		p.n.mu.Lock()
		delete(p.n.questions, id)
		digests = q.digests
		p.n.mu.Unlock()
	}()
	a, err = await[A](ctx, q, m(id))
	return a, nil, err
}

// await sends a question and waits for its answer, which may be here before it is known that
// the question has arrived, and just before the peer leaves.
func await[A mapwire.Message](ctx context.Context, q *question, m mapwire.Message) (a A, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	life := q.p.Life()
	defer context.AfterFunc(life, func() { // nor does sending take longer
		if q.p.bye.Load() { // but it still says that it does not take the question
			select {
			case <-time.After(q.p.n.budget):
			case <-ctx.Done():
			}
		}
		cancel()
	})()
	if err = q.p.insist(ctx, m); err == nil {
		select {
		case x := <-q.answer:
			return answerAs[A](x)
		case <-life.Done():
			err = errAnswer
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	select {
	case x := <-q.answer:
		return answerAs[A](x)
	default:
		return a, err
	}
}

func answerAs[A mapwire.Message](m mapwire.Message) (a A, err error) {
	a, ok := m.(A)
	if !ok {
		return a, errAnswer
	}
	return a, nil
}

// insist sends a message until the peer is not busy.
func (p *peer) insist(ctx context.Context, m mapwire.Message) error {
	for {
		err := p.send(ctx, m)
		if err == nil || !says(err, errBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(askAgain):
		}
	}
}

// askAgain is the pause before a member that could not answer is asked again.
const askAgain = 20 * time.Millisecond

// says reports whether err is the refusal of a member that gives a reason.
func says(err, reason error) bool {
	var refused *message.RemoteError
	return errors.As(err, &refused) && strings.Contains(refused.Reason, reason.Error())
}

// answered gives an answer to who has asked.
func (n *native) answered(p *peer, id uint64, m mapwire.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	q := n.questions[id]
	if q == nil || q.p != p {
		return // too late
	}
	if d, ok := m.(*mapwire.Digests); ok {
		q.digests[d.Bucket] = d.Entries
		return
	}
	select {
	case q.answer <- m:
	default:
	}
}

// answer sends an answer. Who does not get it asks again, or somebody else; the error is in the
// log.
func (n *native) answer(ctx context.Context, p *peer, m mapwire.Message) error {
	ctx, cancel := p.patience(ctx)
	defer cancel()
	err := p.send(ctx, m)
	if err != nil {
		n.log.Debug("answer did not arrive", "member", p.Member(), "kind", m.Kind(), "err", err)
	}
	return err
}

// patience returns a context for something to send: for the stall time, and if the peer does not
// answer any more for no longer than writes wait, since others may wait for the room that this
// takes here.
func (p *peer) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.n.stall, errAnswer)
	stop := context.AfterFunc(p.Life(), func() {
		select {
		case <-time.After(p.n.budget):
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		stop()
		cancel()
	}
}
