package group

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// TestEncryptWithStatic has two members with a key and one without on a static list.
// Static membership talks by messages, which are encrypted like all others: who has no
// key is no member.
func TestEncryptWithStatic(t *testing.T) {
	key, err := interceptor.NewKey(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	encrypted := func() (*interceptor.Encrypt, Option) {
		e := &interceptor.Encrypt{Key: key}
		return e, WithInterceptors(new(interceptor.Dispatch), e, new(interceptor.TCPFailureDetector))
	}
	layerA, withA := encrypted()
	layerB, withB := encrypted()
	a := onLoopback(t, nil, withA)
	b := onLoopback(t, []*Group{a}, withB)
	got := make(chan string, 10)
	for _, g := range []*Group{a, b} {
		g.Listen(ListenerFunc(func(_ context.Context, m *message.Message) error {
			got <- string(m.Payload())
			return nil
		}))
		if err := g.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range []*Group{a, b} {
		if _, err := g.SendAll(t.Context(), []byte("secret"), Sync); err != nil {
			t.Errorf("Send = %v", err)
		}
		if text := <-got; text != "secret" {
			t.Errorf("delivered %q", text)
		}
	}

	outside := onLoopback(t, []*Group{a, b})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // ten questions
	defer cancel()
	if err := outside.WaitMembers(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a key WaitMembers = %v, want none", err)
	}
	_, err = outside.Send(t.Context(), []*Member{a.Local(), b.Local()}, []byte("clear text"), Sync)
	var remote *RemoteError
	if !errors.As(err, &remote) {
		t.Errorf("Send in the clear = %v, want a refusal", err)
	}
	for name, n := range map[string]int{"a": a.View().Len(), "b": b.View().Len()} {
		if n != 1 {
			t.Errorf("%s has %d other members, want the one with the key", name, n)
		}
	}
	if len(got) != 0 {
		t.Errorf("delivered %q", <-got)
	}
	for name, e := range map[string]*interceptor.Encrypt{"a": layerA, "b": layerB} {
		if s := e.Stats(); s.Undecryptable == 0 || s.Unmarked != 0 {
			t.Errorf("%s: Stats() = %+v, want messages that could not be decrypted", name, s)
		}
	}
}

// injector is a layer that hands up what the test gives it.
type injector struct {
	host  channel.Host
	above channel.ReceiveFunc
}

func (i *injector) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	i.host = h
	return below, nil
}

func (i *injector) BindUp(above channel.Up) channel.Up {
	i.above = above.Receive
	return above
}

// A remote call that was not decrypted reaches no handler, wherever it came into the stack,
// and a reply no call.
func TestRemoteCallsPassTheGuard(t *testing.T) {
	key, err := interceptor.NewKey(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		clear, encrypt := new(injector), &interceptor.Encrypt{Key: key}
		a := open(t, net, "a", WithInterceptors(clear, encrypt))
		served := 0
		serve(t, a, func(context.Context, *Request) ([]byte, error) {
			served++
			return nil, nil
		})
		rpcIn(t, a).HandleLate(func(*Member, Body) { t.Error("a reply was heard") })
		for _, reply := range []bool{false, true} {
			m, err := objectMessage(clear.host, &javaser.RPC{Reply: reply, UUID: make([]byte, 16), ID: []byte(rpcIn(t, a).ID())})
			if err != nil {
				t.Fatal(err)
			}
			if err := clear.above(t.Context(), m); err == nil {
				t.Errorf("a call that was not decrypted, reply %t, was taken", reply)
			}
			m.Release()
		}
		synctest.Wait()
		if s := encrypt.Stats(); served != 0 || s.Unmarked != 2 {
			t.Errorf("%d calls were served, %+v; want none and two unmarked", served, s)
		}
	})
}
