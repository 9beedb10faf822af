package group

import (
	"bytes"
	"context"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// caller is a layer that sends Java objects and hears the answers, as a Java
// node's RpcChannel would.
type caller struct {
	host    channel.Host
	send    channel.SendFunc
	answers chan *message.Message
}

func (c *caller) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	c.host, c.send = h, below.Send
	return below, nil
}

func (c *caller) BindUp(above channel.Up) channel.Up {
	next := above.Receive
	above.Receive = func(ctx context.Context, m *message.Message) error {
		if m.Options.Has(message.ByteMessage) {
			return next(ctx, m)
		}
		c.answers <- m.Clone()
		return nil
	}
	return above
}

func (c *caller) call(t *testing.T, to *membership.Member, object []byte) *message.Receipt {
	t.Helper()
	m := c.host.NewMessage(len(object))
	defer m.Release()
	copy(m.Payload(), object)
	m.Options = message.Sync
	r := message.NewReceipt(1, nil)
	if err := c.send(t.Context(), []*membership.Member{to}, m, r); err != nil {
		t.Fatal(err)
	}
	<-r.Done()
	return r
}

func TestForeignCallsAreAnswered(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		java := &caller{answers: make(chan *message.Message, 10)}
		a := open(t, net, "a", WithInterceptors(java))
		b := open(t, net, "b")
		heard := new(inbox)
		b.Listen(ListenerFunc(heard.take))
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		uuid, id := bytes.Repeat([]byte{7}, 16), []byte("echo")
		request, err := javaser.AppendRPC(nil, &javaser.RPC{UUID: uuid, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := javaser.AppendRPC(nil, &javaser.RPC{UUID: uuid, ID: id, Reply: true})
		if err != nil {
			t.Fatal(err)
		}
		to := a.View().Members[0]
		if r := java.call(t, to, reply); !r.OK() {
			t.Errorf("a reply to no call: %v, want it to be dropped", r.Results(nil, nil))
		}
		if r := java.call(t, to, request[:len(request)-3]); r.OK() {
			t.Error("a damaged call was acknowledged, want it refused")
		}
		for _, long := range []javaser.RPC{{UUID: make([]byte, maxForeignID+1), ID: id}, {UUID: uuid, ID: make([]byte, maxForeignID+1)}} {
			b, err := javaser.AppendRPC(nil, &long)
			if err != nil {
				t.Fatal(err)
			}
			if r := java.call(t, to, b); !r.OK() {
				t.Errorf("a call with a long id: %v, want it to be dropped", r.Results(nil, nil))
			}
		}
		if r := java.call(t, to, request); !r.OK() {
			t.Errorf("call: %v", r.Results(nil, nil))
		}
		m := <-java.answers
		got, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !got.NoChannel || !bytes.Equal(got.UUID, uuid) || !bytes.Equal(got.ID, id) || m.Options != message.Async {
			t.Errorf("answer %+v with options %v, want NoChannel with the ids of the call and Async", got, m.Options)
		}
		if st := b.Stats().RPC; st.Dropped != 3 || st.Late != 1 || st.NoHandler != 1 || len(java.answers) != 0 {
			t.Errorf("stats %+v and %d answers more, want one answer", st, len(java.answers))
		}
		if heard.String() != "" {
			t.Errorf("the application heard %q, want nothing", heard)
		}
	})
}
