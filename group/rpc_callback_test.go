package group

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// TestCallInsideCallbacks: a call is legal everywhere.
func TestCallInsideCallbacks(t *testing.T) {
	inGroup(t, 2, func(t *testing.T, net *mem.Network, a *Group, servers []*Group, to []*Member) {
		b, c := servers[0], servers[1]
		serve(t, c, echo("c", 0))
		call := func(ctx context.Context, g *Group) {
			t.Helper()
			answers, err := rpcIn(t, g).Call(ctx, to[1:], []byte("x"), AllReplies)
			if told(answers) != "c:x" || err != nil {
				t.Errorf("Call = %s, %v", told(answers), err)
			}
		}
		ran := make(chan string, 10)
		serve(t, b, func(ctx context.Context, _ *Request) ([]byte, error) { // calls on, and back
			call(ctx, b)
			answers, err := rpcIn(t, b).Call(ctx, []*Member{a.Local()}, nil, AllReplies)
			if !errors.Is(err, ErrNoHandler) {
				t.Errorf("Call back = %s, %v; want no handler", told(answers), err)
			}
			ran <- "handler"
			return nil, nil
		})
		a.Watch(MembershipListenerFunc(func(ctx context.Context, ev Event) {
			if ev.Kind == Joined && ev.Member.Key() == to[0].Key() {
				call(ctx, a)
				ran <- "watcher"
			}
		}))
		b.Listen(ListenerFunc(func(ctx context.Context, _ *message.Message) error { // a message of a
			call(ctx, b)
			ran <- "listener"
			return nil
		}))
		_, err := rpcIn(t, a).Call(t.Context(), to[:1], nil, AllReplies, ReplyFilter(func(*Answer) bool {
			call(t.Context(), a)
			ran <- "filter"
			return true
		}))
		if err != nil {
			t.Error(err)
		}
		_, err = a.Post(t.Context(), to[:1], []byte("x"), Sync, func(MessageID, error) {
			call(t.Context(), a)
			ran <- "done"
		})
		if err != nil {
			t.Error(err)
		}
		for range 5 {
			<-ran
		}
	})
}

// TestCallOfOwnSenderInListener: the reply comes behind the message that the listener
// is busy with, so the call ends by its time; nothing else is held up.
func TestCallOfOwnSenderInListener(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		serve(t, a, echo("a", 0))
		b.Listen(ListenerFunc(func(ctx context.Context, m *message.Message) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := rpcIn(t, b).Call(ctx, []*Member{m.Source}, nil, AllReplies)
			return err
		}))
		_, err := a.SendAll(t.Context(), []byte("x"), Sync)
		var remote *RemoteError
		if !errors.As(err, &remote) {
			t.Errorf("SendAll = %v, want the timeout of the call", err)
		}
		answers, err := rpcIn(t, b).Call(t.Context(), []*Member{a.Local()}, []byte("x"), AllReplies)
		if told(answers) != "a:x" || err != nil {
			t.Errorf("Call afterwards = %s, %v", told(answers), err)
		}
	})
}

// TestStopInHandler begins the stop and returns.
func TestStopInHandler(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		serve(t, b, func(ctx context.Context, _ *Request) ([]byte, error) {
			err := b.Stop(ctx)
			time.Sleep(time.Millisecond) // virtual: the stop has begun; the reply is among the last
			return []byte("bye"), err
		})
		answers, err := rpcIn(t, a).Call(t.Context(), []*Member{b.Local()}, nil, AllReplies)
		if told(answers) != "bye" || err != nil {
			t.Errorf("Call = %s, %v", told(answers), err)
		}
		<-b.Done()
	})
}

// TestHandleLate: replies that come too late are told, once, with their sender.
func TestHandleLate(t *testing.T) {
	inGroup(t, 2, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		type late struct {
			from *Member
			text string
		}
		heard := make(chan late, 10)
		rpcIn(t, a).HandleLate(func(from *Member, b Body) {
			heard <- late{from, string(b.Bytes)}
			if string(b.Bytes) == "c:x" {
				panic("oops")
			}
		})
		serve(t, servers[0], echo("b", 0))
		serve(t, servers[1], echo("c", time.Second))
		for range 2 {
			if _, err := rpcIn(t, a).Call(t.Context(), to, []byte("x"), FirstReply); err != nil {
				t.Error(err)
			}
			if l := <-heard; l.text != "c:x" || l.from.Key() != to[1].Key() {
				t.Errorf("heard %q of %v, want c:x", l.text, l.from)
			}
		}
		rpcIn(t, a).HandleLate(nil)
		if _, err := rpcIn(t, a).Call(t.Context(), to, []byte("x"), FirstReply); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second) // virtual
		synctest.Wait()
		if st := a.Stats().RPC; len(heard) != 0 || st.Late != 3 || st.Panics != 2 {
			t.Errorf("heard %d more, stats %+v; want 3 late and 2 panics", len(heard), st)
		}
	})
}

// TestLateRepliesTakeBoundedMemory: a member that sends replies to no call, while the
// function that is told of them does not return, makes us keep some bytes and no more.
func TestLateRepliesTakeBoundedMemory(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		java := &caller{answers: make(chan *message.Message, 10)}
		a := open(t, net, "a", WithInterceptors(java))
		b := open(t, net, "b")
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		const size, sent = 1 << 20, 40
		var heard atomic.Int32
		enough := make(chan struct{})
		rpcIn(t, b).HandleLate(func(*Member, Body) {
			heard.Add(1)
			<-enough
		})
		reply, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: true, UUID: make([]byte, 16), ID: []byte(rpcIn(t, b).ID()),
			Message: &javaser.ByteMessage{Data: make([]byte, size)}})
		if err != nil {
			t.Fatal(err)
		}
		for range sent {
			if r := java.call(t, a.View().Members[0], reply); !r.OK() {
				t.Fatalf("a reply: %v", r.Results(a.View().Members, nil))
			}
		}
		close(enough)
		synctest.Wait()
		if n, most := heard.Load(), int32(asideBytes/size+1); n < 1 || n > most || b.Stats().RPC.Late != sent {
			t.Errorf("told of %d of %d late replies, want 1 to %d", n, b.Stats().RPC.Late, most)
		}
	})
}

// TestLastReplyBeforeGoodbye: the reply waits at the caller behind a message that a
// listener is busy with; the goodbye of its sender must not come first.
func TestLastReplyBeforeGoodbye(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		a.Listen(ListenerFunc(func(context.Context, *message.Message) error {
			time.Sleep(time.Second) // virtual
			return nil
		}))
		serve(t, b, func(ctx context.Context, _ *Request) ([]byte, error) {
			if _, err := b.SendAll(ctx, []byte("x"), UseAck); err != nil {
				t.Error(err)
			}
			b.Close()
			time.Sleep(time.Millisecond) // virtual: the stop has begun
			return []byte("bye"), nil
		})
		answers, err := rpcIn(t, a).Call(t.Context(), []*Member{b.Local()}, nil, AllReplies)
		if told(answers) != "bye" || err != nil {
			t.Errorf("Call = %s, %v", told(answers), err)
		}
	})
}
