package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gotribes/tribes/group"
)

// handled is one request at one host.
type handled struct{ host, request string }

// serve answers the calls of others, with the id of this member and what was asked.
func (n *node) serve() {
	rpc, err := n.g.RPC("simulation")
	if err != nil {
		n.w.fail("RPC of %s: %v", n.name, err)
		return
	}
	n.rpc = rpc
	rnd := rand.New(rand.NewPCG(n.w.seed, uint64(len(n.name))+uint64(n.name[0])))
	_, err = n.rpc.Handle(func(ctx context.Context, req *group.Request) ([]byte, error) {
		n.w.mu.Lock()
		h := handled{n.name, string(req.Bytes)}
		if n.w.handled[h] {
			n.w.wrongly("%s handled the request %q twice", n.name, req.Bytes)
		}
		n.w.handled[h] = true
		n.w.note("request %s %q", n.name, req.Bytes)
		pause := time.Duration(rnd.IntN(50)) * time.Millisecond
		n.w.mu.Unlock()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if pause < 3*time.Millisecond {
			return nil, errTenth
		}
		return fmt.Append(nil, n.g.Local().ID(), " ", string(req.Bytes)), nil
	}, group.HandlerConfig{Concurrency: 2, Queue: 4})
	if err != nil {
		n.w.fail("handler of %s: %v", n.name, err)
	}
}

// ask makes remote calls.
func (n *node) ask(rnd *rand.Rand) {
	modes := []group.Mode{group.AllReplies, group.FirstReply, group.MajorityReply}
	wants := []func(n int) int{func(n int) int { return n }, func(int) int { return 1 }, func(n int) int { return n/2 + 1 }}
	for count := 0; ; count++ {
		select {
		case <-n.ctx.Done():
			return
		case <-time.After(time.Duration(rnd.IntN(1500)) * time.Millisecond):
		}
		to := onePerAddress(n.g.View())
		mode := rnd.IntN(len(modes))
		limit := time.Duration(20+rnd.IntN(2000)) * time.Millisecond
		text := fmt.Sprintf("%s %d", n.id, count)
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		begun := time.Now()
		answers, err := n.rpc.Call(ctx, to, []byte(text), modes[mode])
		cancel()
		n.w.mu.Lock()
		paused := n.w.paused[n.name].After(begun)
		n.w.mu.Unlock()
		if took := time.Since(begun); took > limit && !paused {
			n.w.fail("a call of %s took %v, its limit was %v", n.name, took, limit)
		}
		if answers != nil {
			n.judgeCall(text, to, answers, wants[mode](len(to)), err)
		} else if !errors.Is(err, group.ErrNoMembers) && !errors.Is(err, group.ErrClosed) {
			n.w.fail("a call of %s has no answers: %v", n.name, err)
		}
	}
}

// judgeCall looks at what came of a call: one outcome for each destination, replies to
// this request and by that member, and an end when it was decided, not before.
func (n *node) judgeCall(text string, to []*group.Member, answers []group.Answer, want int, err error) {
	w := n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(answers) != len(to) {
		w.wrongly("a call of %s to %d members has %d answers", n.name, len(to), len(answers))
		return
	}
	replies, open := 0, 0
	for i, a := range answers {
		w.note("call %q to %v %v", text, to[i].ID(), a.Outcome)
		switch {
		case a.Outcome == 0 || a.Member.Key() != to[i].Key():
			w.wrongly("a call of %s has the outcome %s at %v, want one at %v", n.name, a.Outcome, a.Member, to[i])
		case a.Outcome == group.CallNotAwaited:
			open++
		case a.Outcome == group.CallReplied:
			replies++
			if want := fmt.Sprint(to[i].ID(), " ", text); string(a.Bytes) != want {
				w.wrongly("a call of %s got the reply %q, want %q", n.name, a.Bytes, want)
			}
		}
	}
	w.replies += replies
	if ok := replies >= want; ok != (err == nil) || !ok && replies+open >= want {
		w.wrongly("a call of %s ended with %d of %d replies and %d that were not waited for: %v", n.name, replies, want, open, err)
	}
}
