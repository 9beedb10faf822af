package interceptortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var errBelow = errors.New("interceptortest: the bottom failed")

func checkPassesDown(tb testing.TB, s Suite) {
	if s.ActsOnAll {
		return
	}
	h := s.harness(tb)
	to := Members(2, 4)
	m := h.Message([]byte("as it is"), message.ByteMessage|message.UseAck)
	want := m.Clone()
	r := message.NewReceipt(len(to), nil)
	if err := h.SendMessage(context.Background(), to, m, r); err != nil {
		tb.Fatalf("Send = %v, want nil", err)
	}
	m.Release()
	synctest.Wait()
	sent := h.Bottom.Sent()
	if len(sent) != 1 {
		tb.Fatalf("a message that the layer leaves alone was handed down %d times, want 1", len(sent))
	}
	if d := differences(want, sent[0].Message, 0); d != "" {
		tb.Errorf("a message that the layer leaves alone was changed: %s", d)
	}
	if got := len(sent[0].To); got != len(to) {
		tb.Errorf("it went to %d members, want %d", got, len(to))
	}
}

// checkSettlesOnce relies on receipts: they panic when settled too often.
func checkSettlesOnce(tb testing.TB, s Suite) {
	outcomes := []struct {
		outcome message.Outcome
		err     error
	}{
		{message.Acknowledged, nil},
		{message.Written, nil},
		{message.Refused, &message.RemoteError{Reason: "no"}},
		{message.NotSent, errBelow},
		{message.Unknown, message.ErrTimeout},
	}
	h := s.harness(tb)
	to := Members(2, 1+len(outcomes))
	h.Bottom.Use(func(_ context.Context, dest []*membership.Member, m *message.Message, r *message.Receipt) error {
		h.Bottom.Note(dest, m)
		for _, d := range dest {
			for i := range to {
				if to[i].Key() == d.Key() {
					r.Settle(d, outcomes[i].outcome, outcomes[i].err)
				}
			}
		}
		return nil
	})
	for _, o := range []message.Options{0, message.UseAck, message.Sync} {
		r := h.Post(context.Background(), to, []byte("x"), s.options(o))
		await(tb, r)
		for i, res := range r.Results(to, nil) {
			if s.AllOrNothing && outcomes[i].outcome.OK() && res.Outcome == message.NotSent && res.Err != nil {
				continue
			}
			if res.Outcome != outcomes[i].outcome || !errors.Is(res.Err, outcomes[i].err) {
				tb.Errorf("options %s, outcome below %s, %v: got %s, %v", o, outcomes[i].outcome, outcomes[i].err, res.Outcome, res.Err)
			}
		}
	}
}

func checkRefusal(tb testing.TB, s Suite) {
	h := s.harness(tb)
	h.Bottom.Use(func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error { return errBelow })
	to := Members(2, 4)
	r := h.Post(context.Background(), to, []byte("x"), s.options(message.UseAck))
	await(tb, r)
	for _, res := range r.Results(to, nil) {
		if res.Outcome != message.NotSent || !errors.Is(res.Err, errBelow) {
			tb.Errorf("refused below: outcome %s, %v, want %s, %v", res.Outcome, res.Err, message.NotSent, errBelow)
		}
	}
	h.Bottom.Use(nil)
	ctx, cancel := patiently()
	defer cancel()
	if err := h.Send(ctx, to, []byte("x"), s.options(message.UseAck)); err != nil {
		tb.Errorf("Send after a refusal = %v, want nil", err)
	}
}

func checkContext(tb testing.TB, s Suite) {
	h := s.harness(tb)
	h.Bottom.Use(func(ctx context.Context, _ []*membership.Member, _ *message.Message, _ *message.Receipt) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	to := Members(2, 3)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	returned := make(chan error, 1)
	r := message.NewReceipt(len(to), nil)
	m := h.Message([]byte("x"), s.options(0))
	go func() { // ends when the send does
		defer m.Release()
		returned <- h.SendMessage(ctx, to, m, r)
	}()
	err := <-returned
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		tb.Errorf("Send with a context that ends = %v, want %v or acceptance", err, context.DeadlineExceeded)
	}
	if err != nil {
		return
	}
	h.Stop(context.Background()) // which must settle what was accepted
	await(tb, r)
}

func checkKeepsOrder(tb testing.TB, s Suite) {
	const count = 200
	h := s.harness(tb)
	to := Members(2, 4)
	ids := make([]message.ID, count)
	receipts := make([]*message.Receipt, count)
	for i := range count {
		m := h.Message(fmt.Append(nil, "message ", i), s.options(0))
		ids[i], receipts[i] = m.ID, message.NewReceipt(len(to), nil)
		if err := h.SendMessage(context.Background(), to, m, receipts[i]); err != nil {
			tb.Fatalf("Send %d = %v, want nil", i, err)
		}
		m.Release()
	}
	for _, r := range receipts {
		await(tb, r)
	}
	for _, d := range to {
		got := h.Bottom.SentTo(d)
		if len(got) < count {
			tb.Fatalf("%d of %d messages were handed down for %s", len(got), count, d)
		}
		last := -1
		for _, m := range got {
			i := indexOf(ids, m.ID)
			if i == len(ids) {
				continue // a message of the layer itself
			}
			if i < last {
				tb.Fatalf("to %s message %d was handed down after message %d", d, i, last)
			}
			last = i
		}
	}
}

func indexOf(ids []message.ID, id message.ID) int {
	for i := range ids {
		if ids[i] == id {
			return i
		}
	}
	return len(ids)
}

// await waits until r is done, or fails.
func await(tb testing.TB, r *message.Receipt) {
	tb.Helper()
	ctx, cancel := patiently()
	defer cancel()
	select {
	case <-r.Done():
	case <-ctx.Done():
		tb.Fatalf("a send was not settled at every destination within %v", patience)
	}
}

// differences says in what got is not like want; options in own may differ.
func differences(want, got *message.Message, own message.Options) string {
	switch {
	case got.ID != want.ID:
		return fmt.Sprintf("id %s, want %s", got.ID, want.ID)
	case got.WireID() != want.WireID():
		return fmt.Sprintf("id on the wire %x, want %x", got.WireID(), want.WireID())
	case got.Source.Key() != want.Source.Key():
		return fmt.Sprintf("source %s, want %s", got.Source, want.Source)
	case got.Sent != want.Sent:
		return fmt.Sprintf("time stamp %d, want %d", got.Sent, want.Sent)
	case got.Options&^own != want.Options&^own:
		return fmt.Sprintf("options %s, want %s", got.Options, want.Options)
	case !bytes.Equal(got.Payload(), want.Payload()):
		return fmt.Sprintf("payload of %d bytes differs from the %d bytes that were wanted", got.Len(), want.Len())
	}
	return ""
}
