package group

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// TestCallIsUsedAgain: a call that is over takes nothing, and one that is used again
// takes nothing that was meant for its last life.
func TestCallIsUsedAgain(t *testing.T) {
	b := newRig(t)
	w := &b.layer.waiting
	answer := Answer{Outcome: CallReplied}
	begin := func() *call {
		c, err := w.begin([]*Member{b.peer}, AllReplies, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := begin()
	id := first.id
	first.receipt.Settle(b.peer, message.Acknowledged, nil)
	if got, answers := first.finish(true, ErrTimeout); got != 0 || answers[0].Outcome != CallTimedOut {
		t.Errorf("finish = %d, %s", got, answers[0].Outcome)
	}
	if first.settle(id, b.peer.Key(), answer) || w.find(id) != nil {
		t.Error("a call that is over took a reply")
	}
	second := begin() // the same one, as a rule
	if second.settle(id, b.peer.Key(), answer) {
		t.Error("a call took the reply to an earlier one")
	}
	if !second.settle(second.id, b.peer.Key(), answer) || second.settle(second.id, b.peer.Key(), answer) {
		t.Error("want one reply taken, and the second one not")
	}
	second.receipt.Settle(b.peer, message.Unknown, ErrTimeout) // behind the reply
	if got, answers := second.finish(false, nil); got != 1 || answers[0].Outcome != CallReplied || w.size() != 0 {
		t.Errorf("finish = %d, %s", got, answers[0].Outcome)
	}
}

// TestJobsDrain: after the drain has begun no job is taken.
func TestJobsDrain(t *testing.T) {
	js := &newRig(t).layer.jobs
	j := new(job)
	if !js.add(j) || js.begin(j, nil) {
		t.Fatal("a job was not taken")
	}
	idle := js.drain()
	if js.add(new(job)) {
		t.Error("a job was taken after the drain had begun")
	}
	js.send(1)
	js.done(j)
	select {
	case <-idle:
		t.Error("idle while an answer is on its way")
	default:
	}
	js.send(-1)
	<-idle
	js.send(1) // a refusal
	js.send(-1)
}

// TestCallGivesUpItsRequest: what waits to be sent for a call whose time is over need not
// be sent any more; for a call that has what it wants it is sent.
func TestCallGivesUpItsRequest(t *testing.T) {
	b := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, replied := range []bool{false, true} {
		c, err := b.layer.waiting.begin([]*Member{b.peer, b.peer}, FirstReply, nil)
		if err != nil {
			t.Fatal(err)
		}
		if replied {
			c.settle(c.id, b.peer.Key(), Answer{Outcome: CallReplied})
		}
		if timedOut, cause := c.wait(ctx, nil); timedOut || (cause == nil) != replied {
			t.Errorf("replied %v: wait = %v, %v", replied, timedOut, cause)
		}
		if c.receipt.Abandoned() == replied {
			t.Errorf("replied %v: abandoned %v", replied, c.receipt.Abandoned())
		}
		c.finish(false, ctx.Err())
		c.receipt.SettleAll([]*Member{b.peer, b.peer}, message.Written, nil)
	}
}

// TestHandlerTakenAway: what has come to it before is answered, also what was on its way
// just then, and its goroutines end, busy or idle.
func TestHandlerTakenAway(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newRig(t)
		block := make(chan struct{})
		s := &server{l: b.layer, id: "echo", cfg: HandlerConfig{Concurrency: 2, Queue: 10}, handle: func(context.Context, *Request) (Body, error) {
			<-block
			return Body{}, nil
		}}
		take := func(n int) {
			for range n {
				if err := s.take(&job{req: Request{From: b.peer}, uuid: make([]byte, 16), wanted: true}); err != nil {
					t.Error(err)
				}
			}
		}
		take(3)
		s.close() // while they are busy
		take(3)
		close(block)
		b.wg.Wait()
		s.closed = false
		take(2)
		synctest.Wait()
		if len(s.idle) != 2 || len(b.sent) != 8 {
			t.Errorf("%d goroutines are idle and %d requests were answered, want 2 and 8", len(s.idle), len(b.sent))
		}
		s.close() // while they are idle
		b.wg.Wait()
		take(3)
		b.wg.Wait()
		if len(b.sent) != 11 {
			t.Errorf("%d requests were answered, want 11", len(b.sent))
		}
	})
}
