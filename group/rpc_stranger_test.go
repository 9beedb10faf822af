package group

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// swallower is a layer that keeps what is sent to others than one member without an
// outcome, as addresses do that nobody answers at.
type swallower struct {
	channel.Interceptor
	except  atomic.Pointer[membership.Member]
	kept    atomic.Int64
	release chan struct{}
}

func (s *swallower) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	next := below.Send
	below.Send = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		if x := s.except.Load(); x == nil || to[0].Key() == x.Key() {
			return next(ctx, to, m, r)
		}
		s.kept.Add(1)
		member := to[0]
		h.Go("swallower", func(context.Context) {
			<-s.release
			r.Settle(member, message.NotSent, ErrTimeout)
		})
		return nil
	}
	return below, nil
}

func (s *swallower) BindUp(above channel.Up) channel.Up { return above }

// TestAnswersToStrangersAreBounded calls in the name of members that nobody has ever
// heard of: of the answers only so many are on their way, and members get theirs.
func TestAnswersToStrangersAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		java := &caller{answers: make(chan *message.Message, 10)}
		a := open(t, net, "a", WithInterceptors(java))
		black := &swallower{release: make(chan struct{})}
		b := open(t, net, "b", WithInterceptors(black))
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := b.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		black.except.Store(a.Local())
		request, err := javaser.AppendRPC(nil, &javaser.RPC{UUID: make([]byte, 16), ID: []byte("none")})
		if err != nil {
			t.Fatal(err)
		}
		to := a.View().Members
		for i := range 3 * mostAnswers {
			m := java.host.NewMessage(len(request))
			copy(m.Payload(), request)
			m.Options = message.Sync
			m.Source, err = membership.New(membership.Attributes{Host: netip.MustParseAddr("10.7.0.1"), Port: i + 1,
				SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.NewID()})
			if err != nil {
				t.Fatal(err)
			}
			r := message.NewReceipt(1, nil)
			if err := java.send(t.Context(), to, m, r); err != nil {
				t.Fatal(err)
			}
			m.Release()
			<-r.Done()
		}
		if r := java.call(t, to[0], request); !r.OK() {
			t.Errorf("call: %v", r.Results(to, nil))
		}
		<-java.answers
		synctest.Wait()
		kept := black.kept.Load()
		if kept == 0 || kept > mostAnswers {
			t.Errorf("%d answers to strangers are on their way, want some and at most %d", kept, mostAnswers)
		}
		if st := b.Stats().RPC; st.Lost != 3*mostAnswers-uint64(kept) {
			t.Errorf("%d answers were left out, want all but %d", st.Lost, kept)
		}
		close(black.release)
	})
}
