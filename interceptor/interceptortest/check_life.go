package interceptortest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var errUnreachable = fmt.Errorf("interceptortest: unreachable: %w", message.ErrTimeout)

// unreachable is a [ProbeFunc] for which nobody answers.
func unreachable(ctx context.Context, _ *membership.Member, p channel.Probe) error {
	select {
	case <-time.After(p.Connect):
		return errUnreachable
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// checkConcurrent uses every flow from several goroutines; the race detector
// and the receipts find what is wrong.
func checkConcurrent(tb testing.TB, s Suite) {
	const each = 50
	p := s.pair(tb)
	from, to := p.A, []*membership.Member{p.B.Local()}
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			for n := range each {
				o := s.options(message.Sync)
				if i%2 == 1 {
					o = message.ByteMessage | message.Sync
				}
				ctx, cancel := patiently()
				if err := from.Send(ctx, to, make([]byte, n*37), o); err != nil {
					tb.Errorf("concurrent Send = %v, want nil", err)
				}
				cancel()
			}
		})
		work.Go(func() {
			for n := range each {
				m := Member(100*i + n + 10)
				from.Join(m)
				from.Fault(m, message.NewID(), errBelow)
				from.View()
				from.Part(membership.Left, m)
			}
		})
	}
	work.Wait()
	synctest.Wait()
	if got, want := len(p.B.Top.Received()), 4*each; got != want {
		tb.Errorf("%d messages were delivered, want %d", got, want)
	}
}

// checkStopDrains: what was accepted before a stop with time enough is sent.
func checkStopDrains(tb testing.TB, s Suite) {
	const count = 50
	h := s.harness(tb)
	to := Members(2, 3)
	receipts := make([]*message.Receipt, count)
	for i := range receipts {
		receipts[i] = h.Post(context.Background(), to, []byte("before the stop"), s.options(message.UseAck))
	}
	h.Stop(context.Background())
	for _, r := range receipts {
		await(tb, r)
		if !r.OK() {
			tb.Fatalf("a message accepted before the stop: %v", r.Results(to, nil)[0].Err)
		}
	}
}

// checkStopCuts: what cannot be sent before the stop runs out of time is
// settled all the same.
func checkStopCuts(tb testing.TB, s Suite) {
	h := s.harness(tb)
	h.Bottom.Use(func(ctx context.Context, _ []*membership.Member, _ *message.Message, _ *message.Receipt) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	to := Members(2, 3)
	var work sync.WaitGroup
	sending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	receipts := make(chan *message.Receipt, 20)
	for range cap(receipts) {
		work.Go(func() { receipts <- h.Post(sending, to, []byte("x"), s.options(0)) })
	}
	synctest.Wait()
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	h.Stop(ctx)
	cancel()
	work.Wait()
	for range cap(receipts) {
		await(tb, <-receipts)
	}
}

// checkSendAfterStop: a send that comes too late is refused or settled, never
// forgotten.
func checkSendAfterStop(tb testing.TB, s Suite) {
	h := s.harness(tb)
	h.Stop(context.Background())
	to := Members(2, 3)
	for _, o := range []message.Options{s.options(0), message.ByteMessage} {
		r := h.Post(context.Background(), to, []byte("late"), o)
		await(tb, r)
		for _, res := range r.Results(to, nil) {
			if res.Outcome != message.NotSent || !errors.Is(res.Err, channel.ErrClosed) {
				tb.Errorf("Send after Stop: outcome %s, %v, want %s, %v", res.Outcome, res.Err, message.NotSent, channel.ErrClosed)
			}
		}
	}
}
