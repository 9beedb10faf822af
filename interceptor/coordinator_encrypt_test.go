package interceptor

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// Above Encrypt, what a coordinator sends is encrypted, probes included, and who has no
// key makes up no view.
func TestElectionIsEncrypted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var clear atomic.Int32
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		intruder := e.nw.Node("0") // its address comes before all others
		sealed := make(map[string]*Encrypt)
		for _, name := range []string{"a", "b", "c"} {
			sealed[name] = &Encrypt{Key: testKey(t, 1)}
			e.below = []channel.Interceptor{sealed[name], &mute{lose: func(coordToken) bool { clear.Add(1); return false }}}
			e.start(name)
		}
		e.agree(patient, "a", "b", "c")
		e.on["a"].co.probe(t.Context(), e.on["b"].Local())
		if got := e.on["b"].co.Stats().Swallowed; got != 1 {
			t.Errorf("%d probes came to b, want one", got)
		}
		for name, s := range sealed {
			if st := s.Stats(); st.Undecryptable != 0 || st.Sent+st.Received == 0 {
				t.Errorf("%s: %+v, want tokens and nothing in the clear", name, st)
			}
		}
		if clear.Load() != 0 {
			t.Errorf("%d tokens were in the clear", clear.Load())
		}
		before := e.on["a"].Agreed()
		forge(t, intruder, e.on["a"].Local(), e.on["b"].Local(), e.on["c"].Local())
		synctest.Wait()
		if st := sealed["a"].Stats(); st.Undecryptable != 1 || e.on["a"].Agreed().ID != before.ID {
			t.Errorf("%+v and the view %v, want a token refused and the view %v", st, e.on["a"].Agreed(), before)
		}
	})
}

// forge sends a view of the intruder and others to the first of them, in the clear, and
// expects that it is refused.
func forge(t *testing.T, intruder *mem.Node, others ...*membership.Member) {
	t.Helper()
	cfg := intruder.Config()
	cfg.Interceptors = []channel.Interceptor{object{}}
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Stop(context.Background()) // there is nothing in it that could be lost
	token := coordToken{leader: c.Local(), source: c.Local(), members: append([]*membership.Member{c.Local()}, others...),
		id: membership.NewViewID(uint64(time.Now().Add(time.Hour).UnixMilli())), confirm: true}
	if _, err := c.Send(t.Context(), others[:1], token.append(nil), message.Sync); err == nil {
		t.Error("a view in the clear was taken, want it refused")
	}
}

// object is a layer that sends what it gets as the objects of Java, such as tokens, are
// sent.
type object struct{}

func (object) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	next := below.Send
	below.Send = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		m.Options &^= message.ByteMessage
		return next(ctx, to, m, r)
	}
	return below, nil
}

func (object) BindUp(above channel.Up) channel.Up { return above }
