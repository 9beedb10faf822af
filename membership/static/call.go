package static

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gotribes/tribes/membership"
)

// callID matches an answer to its question. It is secret, so that nobody can
// answer but those whom the question has reached.
type callID [16]byte

// answer is what a node says of itself.
type answer struct {
	member *membership.Member // nil: no such membership there
	uid    int64              // of the member in the object
	asked  time.Time
}

var errNoChannel = errors.New("no static membership of this name there")

// call asks a node who it is and tells it who we are.
func (s *Service) call(ctx context.Context, q question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.wait)
	defer cancel()
	var id callID
	rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	got := make(chan answer, 1)
	s.expect(id, got)
	defer s.forget(id)
	asked := time.Now()
	sent, err := s.sendCall(ctx, q.to, q.kind, q.uid, id[:], false)
	if err != nil {
		return answer{}, err
	}
	defer sent.receipt.Abandon()
	done := sent.receipt.Done()
	for {
		select {
		case a := <-got:
			if a.member == nil {
				return answer{}, fmt.Errorf("tribes: static: call %s: %w", q.to, errNoChannel)
			}
			a.asked = asked
			return a, nil
		case <-done:
			if err := sent.outcome(); err != nil {
				return answer{}, err
			}
			done = nil
		case <-ctx.Done():
			return answer{}, fmt.Errorf("tribes: static: call %s: %w", q.to, context.Cause(ctx))
		}
	}
}

func (s *Service) expect(id callID, got chan<- answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[id] = got
}

func (s *Service) forget(id callID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, id)
}

// settle gives an answer to whoever waits for it and reports whether anybody
// does.
func (s *Service) settle(id []byte, a answer) bool {
	if len(id) != len(callID{}) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.calls[callID(id)]
	if waiting == nil {
		return false
	}
	delete(s.calls, callID(id))
	waiting <- a // has room, as there is one answer
	return true
}

// reply answers a question without waiting for that. It returns why it does not.
func (s *Service) reply(to *membership.Member, kind int32, uid int64, id []byte) (refused string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.active():
		return dropStopped
	case s.answering >= s.limits.answering:
		return dropBusy
	}
	s.answering++
	id = slices.Clone(id)
	s.tasks.Go(func() { // ends with s.ctx, or after Timeout
		err := s.sendReply(to, kind, uid, id)
		s.replied(to, err)
		if err != nil && s.ctx.Err() == nil {
			s.env.Logger.Debug("question could not be answered", "member", to, "err", err)
		}
	})
	return ""
}

func (s *Service) replied(to *membership.Member, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answering--
	if st := s.strangers[to.Key()]; st != nil && (err == nil || s.stopped) { // stopped: it may be on its way
		st.told = true
	}
}

func (s *Service) sendReply(to *membership.Member, kind int32, uid int64, id []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timeout)
	defer cancel()
	sent, err := s.sendCall(ctx, to, kind, uid, id, true)
	if err != nil {
		return err
	}
	defer sent.receipt.Abandon()
	select {
	case <-sent.receipt.Done():
		return sent.outcome()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
