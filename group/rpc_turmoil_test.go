package group

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// TestCallsInTurmoil: on a bad network, where members crash, leave and come back, each
// call ends with one outcome for each destination, before its time is over, and no call
// gets the reply to another.
func TestCallsInTurmoil(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		t.Logf("seed %d", net.Seed())
		net.SetLinks(mem.Link{})
		var groups []*Group
		for _, host := range []string{"a", "b", "c", "d"} {
			g := open(t, net, host, WithStopTimeout(time.Second))
			serve(t, g, func(ctx context.Context, req *Request) ([]byte, error) {
				wait := time.NewTimer(rand.N(40 * time.Millisecond))
				defer wait.Stop()
				select {
				case <-wait.C:
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
				if rand.N(10) == 0 {
					return nil, fmt.Errorf("failed on %s", req.Bytes)
				}
				return req.Bytes, nil
			}, HandlerConfig{Concurrency: 2, Queue: 4})
			groups = append(groups, g)
		}
		for _, g := range groups {
			if err := g.WaitMembers(t.Context(), len(groups)-1); err != nil {
				t.Fatal(err)
			}
		}
		net.SetLinks(mem.Link{Delay: 2 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.02, Duplicate: 0.05, Reorder: 0.05})
		all := groups[0].View().Members
		all = append(all[:len(all):len(all)], groups[0].Local())
		time.AfterFunc(4*time.Second, func() { net.Crash("c") })
		time.AfterFunc(8*time.Second, groups[3].Close)
		var outcomes [CallBadReply + 1]atomic.Int64
		var wg sync.WaitGroup
		for n := range 12 {
			wg.Go(func() { callMany(t, groups[n%2], all, n, &outcomes) }) // ends with its calls
		}
		wg.Wait()
		for _, o := range []CallOutcome{CallReplied, CallNotAwaited, CallHandlerError, CallBusy, CallFailed, CallTimedOut} {
			if outcomes[o].Load() == 0 {
				t.Errorf("no outcome %s: the turmoil is none", o)
			}
		}
		for _, g := range groups[:2] {
			if st := g.Stats().RPC; st.Waiting != 0 {
				t.Errorf("stats %+v: calls wait", st)
			}
		}
	})
}

// callMany makes calls for twelve seconds of virtual time.
func callMany(t *testing.T, g *Group, to []*Member, caller int, outcomes *[CallBadReply + 1]atomic.Int64) {
	modes := []Mode{AllReplies, FirstReply, MajorityReply, Mode(2)}
	begin := time.Now()
	for i := 0; time.Since(begin) < 12*time.Second; i++ {
		text := fmt.Sprintf("call %d of %d", i, caller)
		limit := 20*time.Millisecond + rand.N(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		mode, at := modes[rand.N(len(modes))], time.Now()
		answers, err := rpcIn(t, g).Call(ctx, to, []byte(text), mode)
		cancel()
		if took := time.Since(at); took > limit {
			t.Errorf("%s took %v, its limit was %v", text, took, limit)
		}
		if len(answers) != len(to) {
			t.Errorf("%s: %d answers of %d", text, len(answers), len(to))
		}
		replies := 0
		for _, a := range answers {
			if outcomes[a.Outcome].Add(1); a.Outcome == 0 {
				t.Errorf("%s: no outcome at %v", text, a.Member)
			}
			if a.Outcome == CallReplied {
				replies++
			}
			if a.Outcome == CallReplied && string(a.Bytes) != text || a.Outcome == CallHandlerError && !strings.Contains(a.Err.Error(), text+`"`) {
				t.Errorf("%s got %q, %v", text, a.Bytes, a.Err)
			}
		}
		if (err == nil) != (replies >= mode.want(len(to))) {
			t.Errorf("%s, mode %v: %d replies and %v", text, mode, replies, err)
		}
	}
}
