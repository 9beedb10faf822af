package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
	"github.com/gotribes/tribes/transport/nio"
)

type sum struct{ A, B int }

func TestTypedRPC(t *testing.T) {
	inGroup(t, 3, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		typed := func(g *Group) *TypedRPC[sum, int] { return NewTypedRPC[sum, int](rpcIn(t, g), JSON) }
		for i, g := range servers[:2] {
			remove, err := typed(g).Handle(func(_ context.Context, from *Member, q sum) (int, error) {
				if q.A < 0 {
					return 0, errors.New("negative")
				}
				if from.Key() != a.Local().Key() {
					t.Errorf("a request of %v, want %v", from, a.Local())
				}
				return q.A + q.B + 100*i, nil
			}, HandlerConfig{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(remove)
		}
		serve(t, servers[2], func(context.Context, *Request) ([]byte, error) { return []byte("no number"), nil })

		answers, err := typed(a).CallAll(t.Context(), sum{1, 2}, AllReplies)
		if len(answers) != 3 || answers[0].Value != 3 || answers[1].Value != 103 || answers[2].Value != 0 {
			t.Fatalf("CallAll = %+v", answers)
		}
		if answers[2].Outcome != CallBadReply || answers[2].Err == nil || !errors.Is(err, answers[2].Err) {
			t.Errorf("a reply that is no number: %s, %v", answers[2].Outcome, err)
		}
		answers, err = typed(a).Call(t.Context(), to, sum{1, 2}, FirstReply, ReplyFilter(func(x *Answer) bool { return x.Member != to[0] }))
		if err != nil || answers[0].Outcome != CallRejected && answers[0].Outcome != CallNotAwaited || answers[0].Value != 0 || answers[1].Value != 103 {
			t.Errorf("with a filter: %+v, %v", answers, err)
		}
		if _, err := typed(a).Call(t.Context(), to[:1], sum{-1, 0}, AllReplies); err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("an error of the handler: %v", err)
		}
		raw, err := rpcIn(t, a).Call(t.Context(), to[:1], []byte("{"), AllReplies)
		if raw[0].Outcome != CallBadRequest || !errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), "unexpected end") {
			t.Errorf("a request that is no JSON: %s, %v", told(raw), err)
		}
		if answers, err := NewTypedRPC[func(), int](rpcIn(t, a), JSON).Call(t.Context(), to, nil, AllReplies); err == nil || answers != nil {
			t.Errorf("a value without JSON: %v, %v", answers, err)
		}
	})
}

// TestRPCTraceAndLog: each call and each request is told, with its error and its time.
func TestRPCTraceAndLog(t *testing.T) {
	var mu sync.Mutex
	var told []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprintf(format, args...))
	}
	trace := &RPCTrace{
		Called: func(id string, mode Mode, answers []Answer, took time.Duration, err error) {
			note("called %s %v %d %v %v", id, mode, len(answers), took, err != nil)
		},
		Served: func(id string, from *Member, took time.Duration, err error) {
			note("served %s %v %v", id, took, err)
		},
	}
	var log testlog.Log
	inGroup(t, 1, func(t *testing.T, _ *mem.Network, a *Group, servers []*Group, to []*Member) {
		serve(t, servers[0], echo("b", time.Second))
		if _, err := rpcIn(t, a).Call(t.Context(), to, nil, MajorityReply); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := rpcIn(t, a).Call(ctx, to, nil, AllReplies); err == nil {
			t.Error("Call: no error")
		}
		if _, err := rpcIn(t, a).Call(t.Context(), nil, nil, AllReplies); err == nil {
			t.Error("Call of nobody: no error")
		}
	}, WithRPC(RPCConfig{Trace: trace}), WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	want := []string{"served echo 1s <nil>", "called echo majority 1 1s false", "called echo all 1 1ms true", "served echo 1ms tribes: timed out"}
	for _, w := range want {
		found := false
		for _, s := range told {
			found = found || s == w
		}
		if !found {
			t.Errorf("told %q, want %q", told, w)
		}
	}
	for _, w := range []string{"remote call ended", "remote call served", "layer=rpc", "mode=majority", "took=1s"} {
		if !strings.Contains(log.String(), w) {
			t.Errorf("no %q in the log", w)
		}
	}
}

// TestRPCOverTLS: with WithTLS requests and replies go over TLS, and those in the clear
// are not served.
func TestRPCOverTLS(t *testing.T) {
	secure := []Option{WithTLS(mutual(t)), WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort, SecurePort: nio.AnyPort})}
	a := onLoopback(t, nil, secure...)
	b := onLoopback(t, []*Group{a}, secure...)
	clear := onLoopback(t, []*Group{a, b})
	for _, g := range []*Group{a, b, clear} {
		if err := g.WaitMembers(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		serve(t, g, echo(g.Name(), 0))
	}
	r := rpcIn(t, a)
	answers, err := r.Call(t.Context(), []*Member{b.Local(), clear.Local()}, []byte("x"), FirstReply)
	if err != nil || answers[0].Outcome != CallReplied {
		t.Errorf("over TLS: %s, %v", told(answers), err)
	}
	answers, err = r.Call(t.Context(), []*Member{clear.Local()}, []byte("x"), AllReplies)
	if answers[0].Outcome != CallSendFailed || !errors.Is(err, ErrNotSecure) {
		t.Errorf("to a member without TLS: %s, %v; want %v", told(answers), err, ErrNotSecure)
	}
	answers, err = rpcIn(t, clear).Call(t.Context(), []*Member{a.Local()}, []byte("x"), AllReplies)
	if answers[0].Outcome != CallNoHandler {
		t.Errorf("of a member without TLS: %s, %v; want no handler", told(answers), err)
	}
	if st := a.Stats().RPC; st.Served != 0 || st.NoHandler != 1 {
		t.Errorf("stats %+v, want nothing served", st)
	}
	forged, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: true, UUID: (&ticket{id: message.NewID()}).append(nil), ID: []byte("echo")})
	if err != nil {
		t.Fatal(err)
	}
	if err := clear.calls.sendRaw(t, a.Local(), forged); err != nil {
		t.Fatal(err)
	}
	if st := a.Stats().RPC; st.Dropped != 1 || st.Late != 0 {
		t.Errorf("stats %+v, want the reply in the clear dropped", st)
	}
}

// sendRaw sends a Java object and waits until it was processed.
func (l *rpc) sendRaw(t *testing.T, to *membership.Member, object []byte) error {
	m := l.host.NewMessage(len(object))
	defer m.Release()
	copy(m.Payload(), object)
	m.Options = message.Sync
	r := message.NewReceipt(1, nil)
	if err := l.send(t.Context(), []*membership.Member{to}, m, r); err != nil {
		return err
	}
	<-r.Done()
	return r.Results([]*membership.Member{to}, nil)[0].Err
}

var _ channel.Interceptor = (*rpc)(nil)
