package group

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// withJava runs f with a member and another one that sends and hears Java objects.
func withJava(t *testing.T, f func(t *testing.T, g, other *Group, java *caller)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		java := &caller{answers: make(chan *message.Message, 100)}
		other, g := open(t, net, "java", WithInterceptors(java)), open(t, net, "go")
		for _, x := range []*Group{g, other} {
			if err := x.WaitMembers(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		f(t, g, other, java)
	})
}

// next reads the next remote call that the Java side gets.
func (c *caller) next(t *testing.T) (*javaser.RPC, *message.Message) {
	t.Helper()
	m := <-c.answers
	call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return call, m
}

// say sends a remote call as Java would.
func (c *caller) say(t *testing.T, to *membership.Member, call *javaser.RPC) {
	t.Helper()
	b, err := javaser.AppendRPC(nil, call)
	if err != nil {
		t.Fatal(err)
	}
	if r := c.call(t, to, b); !r.OK() {
		t.Errorf("%v", r.Results([]*membership.Member{to}, nil))
	}
}

var integer = func() javaser.Value {
	number := &javaser.Class{Name: "java.lang.Number", UID: -0x7953e26af46b1f75, Flags: javaser.FlagSerializable}
	class := &javaser.Class{Name: "java.lang.Integer", UID: 0x12e2a0a4f7818738, Flags: javaser.FlagSerializable,
		Fields: []javaser.Field{{Type: 'I', Name: "value"}}, Super: number}
	return &javaser.Object{Class: class, Data: []javaser.ClassData{{Class: number}, {Class: class, Fields: []javaser.Value{javaser.Int(7)}}}}
}()

// bodies are what a Java program may send.
var bodies = []struct {
	name  string
	value javaser.Value
	kind  BodyKind
	bytes string
	class string
}{
	{"ByteMessage", &javaser.ByteMessage{Data: []byte("abc")}, BodyBytes, "abc", "org.apache.catalina.tribes.ByteMessage"},
	{"byte[]", &javaser.Array{Class: byteArray, Raw: []byte("abc")}, BodyArray, "abc", "[B"},
	{"String", javaser.NewString("grüße 😀\x00"), BodyString, "grüße 😀\x00", "java.lang.String"},
	{"null", nil, BodyNull, "", ""},
	{"Integer", integer, BodyObject, "", "java.lang.Integer"},
	{"empty byte[]", &javaser.Array{Class: byteArray, Raw: []byte{}}, BodyArray, "", "[B"},
	{"enum", &javaser.Enum{Class: &javaser.Class{Name: "E", Flags: javaser.FlagSerializable | javaser.FlagEnum}, Name: javaser.NewString("A")}, BodyObject, "", "E"},
	{"long[]", &javaser.Array{Class: &javaser.Class{Name: "[J", Flags: javaser.FlagSerializable}, Raw: make([]byte, 8)}, BodyObject, "", "[J"},
	{"large", &javaser.ByteMessage{Data: bytes.Repeat([]byte("x"), 5000)}, BodyBytes, strings.Repeat("x", 5000), "org.apache.catalina.tribes.ByteMessage"},
}

// TestJavaBodies: each kind of object is understood as a request and as a reply, and
// is written again as it came.
func TestJavaBodies(t *testing.T) {
	withJava(t, func(t *testing.T, g, other *Group, java *caller) {
		got := make(chan Request, 1)
		_, err := rpcIn(t, g).HandleBody(func(_ context.Context, req *Request) (Body, error) {
			got <- *req
			return req.Body, nil
		}, HandlerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		uuid := []byte("0123456789abcdef")
		for _, tt := range bodies {
			java.say(t, g.Local(), &javaser.RPC{UUID: uuid, ID: []byte("echo"), Message: tt.value})
			req := <-got
			if req.Kind != tt.kind || string(req.Bytes) != tt.bytes || req.Class() != tt.class || (req.Object != nil) != (tt.kind == BodyObject) {
				t.Errorf("%s: the handler got %+v of class %q", tt.name, req.Body, req.Class())
			}
			if req.From.Key() != other.Local().Key() {
				t.Errorf("%s: a request of %v, want %v", tt.name, req.From, other.Local())
			}
			reply, m := java.next(t)
			want, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: true, UUID: uuid, ID: []byte("echo"), Message: tt.value})
			if err != nil {
				t.Fatal(err)
			}
			if len(tt.bytes) < 1000 && !bytes.Equal(m.Payload(), want) || m.Options != message.UseAck || !reply.Reply {
				t.Errorf("%s: replied %x with options %v, want %x", tt.name, m.Payload(), m.Options, want)
			}

			answered := make(chan []Answer, 1)
			go func() { // ends with the call
				answers, err := rpcIn(t, g).Call(t.Context(), g.View().Members, nil, AllReplies)
				if err != nil {
					t.Errorf("%s: Call = %v", tt.name, err)
				}
				answered <- answers
			}()
			call, _ := java.next(t)
			java.say(t, g.Local(), &javaser.RPC{Reply: true, UUID: call.UUID, ID: call.ID, Message: tt.value})
			a := (<-answered)[0]
			if a.Kind != tt.kind || string(a.Bytes) != tt.bytes || a.Class() != tt.class || a.Outcome != CallReplied {
				t.Errorf("%s: the reply is %+v of class %q", tt.name, a.Body, a.Class())
			}
		}
	})
}

// TestReplyKindFollowsTheRequest: who asks with a String gets a String.
func TestReplyKindFollowsTheRequest(t *testing.T) {
	withJava(t, func(t *testing.T, g, _ *Group, java *caller) {
		serve(t, g, func(context.Context, *Request) ([]byte, error) { return []byte("abc"), nil })
		for _, tt := range []struct{ ask, want string }{
			{"ByteMessage", "ByteMessage"}, {"byte[]", "byte[]"}, {"String", "String"}, {"null", "ByteMessage"}, {"Integer", "ByteMessage"},
		} {
			for _, b := range bodies {
				if b.name == tt.ask {
					java.say(t, g.Local(), &javaser.RPC{UUID: []byte("u"), ID: []byte("echo"), Message: b.value})
				}
			}
			reply, m := java.next(t)
			b := bodyOf(m.Payload(), reply)
			if string(b.Bytes) != "abc" || !strings.HasSuffix(b.Class(), map[string]string{"byte[]": "[B"}[tt.want]) ||
				tt.want != "byte[]" && !strings.HasSuffix(b.Class(), tt.want) {
				t.Errorf("a request with %s is answered with %q as %s, want %s", tt.ask, b.Bytes, b.Class(), tt.want)
			}
		}
	})
}

// TestJavaCallerOfFailingHandler is told that it need not wait.
func TestJavaCallerOfFailingHandler(t *testing.T) {
	withJava(t, func(t *testing.T, g, _ *Group, java *caller) {
		block := make(chan struct{})
		serve(t, g, func(_ context.Context, req *Request) ([]byte, error) {
			switch string(req.Bytes) {
			case "panic":
				panic("oops")
			case "block":
				<-block
				return nil, nil
			}
			return nil, errors.New("no")
		}, HandlerConfig{Concurrency: 1, Queue: -1})
		uuid := []byte("0123456789abcdef")
		ask := func(text string) {
			java.say(t, g.Local(), &javaser.RPC{UUID: uuid, ID: []byte("echo"), Message: javaser.NewString(text)})
			synctest.Wait()
		}
		for _, text := range []string{"fail", "panic"} {
			ask(text)
			if reply, m := java.next(t); !reply.NoChannel || !bytes.Equal(reply.UUID, uuid) || string(reply.ID) != "echo" || m.Options != message.Async {
				t.Errorf("%s: answered with %+v and options %v, want no channel", text, reply, m.Options)
			}
		}
		ask("block")
		ask("busy")
		if reply, _ := java.next(t); !reply.NoChannel {
			t.Errorf("busy: answered with %+v, want no channel", reply)
		}
		close(block)
		if reply, _ := java.next(t); reply.NoChannel {
			t.Errorf("answered with %+v, want a reply", reply)
		}
	})
}

// TestRepliesOfStrangers: what does not fit a call is dropped and counted, and never
// given to another call.
func TestRepliesOfStrangers(t *testing.T) {
	withJava(t, func(t *testing.T, g, other *Group, java *caller) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answered := make(chan string, 2)
		call := func(to *Member) (*javaser.RPC, func()) {
			ctx, cancel := context.WithCancel(ctx)
			go func() { // ends with ctx
				answers, _ := rpcIn(t, g).Call(ctx, []*Member{to}, nil, AllReplies)
				answered <- told(answers)
			}()
			request, _ := java.next(t)
			return request, cancel
		}
		// A call that another member must answer.
		third, err := other.Local().With(func(a *membership.Attributes) { a.ID[0]++ })
		if err != nil {
			t.Fatal(err)
		}
		foreign, cancelForeign := call(third) // reaches the same host
		mine, _ := call(other.Local())
		reply := func(uuid []byte, text string) {
			java.say(t, g.Local(), &javaser.RPC{Reply: true, UUID: uuid, ID: []byte("echo"), Message: javaser.NewString(text)})
		}
		changed := func(at int) []byte {
			b := bytes.Clone(mine.UUID)
			b[at] ^= 1
			return b
		}
		reply(foreign.UUID, "of another member")
		reply(changed(3), "of no call")
		reply(changed(17), "not as it was asked")
		reply(mine.UUID[:16], "of half an id")
		reply(nil, "without an id")
		java.say(t, g.Local(), &javaser.RPC{NoChannel: true, UUID: changed(0), ID: []byte("echo")})
		synctest.Wait()
		if len(answered) != 0 {
			t.Fatalf("a call ended with %s", <-answered)
		}
		reply(mine.UUID, "right")
		if got := <-answered; got != "right" {
			t.Errorf("the call ended with %s, want the right reply", got)
		}
		reply(mine.UUID, "second")
		cancelForeign()
		if got := <-answered; got != "canceled" {
			t.Errorf("the other call ended with %s", got)
		}
		synctest.Wait()
		if st := g.Stats().RPC; st.Late != 7 || st.Waiting != 0 {
			t.Errorf("stats %+v, want 7 replies that no call waits for", st)
		}
	})
}

// TestUnwantedReplies: Java replies to calls that want no reply. They are counted, and
// not told as late ones.
func TestUnwantedReplies(t *testing.T) {
	withJava(t, func(t *testing.T, g, other *Group, java *caller) {
		rpcIn(t, g).HandleLate(func(*Member, Body) { t.Error("told of an unwanted reply") })
		if _, err := rpcIn(t, g).Call(t.Context(), []*Member{other.Local()}, nil, NoReply); err != nil {
			t.Fatal(err)
		}
		call, _ := java.next(t)
		java.say(t, g.Local(), &javaser.RPC{Reply: true, UUID: call.UUID, ID: call.ID})
		synctest.Wait()
		if st := g.Stats().RPC; st.Unwanted != 1 || st.Late != 0 {
			t.Errorf("stats %+v, want one unwanted reply", st)
		}
	})
}

// TestTicket has the UUID of our calls byte by byte, as docs/wire.md describes it.
func TestTicket(t *testing.T) {
	const want = "000102030405060708090a0b0c0d0e0f" + "476f5452" + "01" + "01" + "02" + "000005dd"
	w := ticket{flags: noReplyWanted, status: statusBusy, left: 1500*time.Millisecond + 1}
	for i := range w.id {
		w.id[i] = byte(i)
	}
	b := w.append(nil)
	if hex.EncodeToString(b) != want {
		t.Errorf("ticket %x, want %s", b, want)
	}
	w.left = 1501 * time.Millisecond
	if got, ours := parseTicket(b); got != w || !ours {
		t.Errorf("parseTicket = %+v, %v; want %+v", got, ours, w)
	}
	for n := range len(b) {
		if _, ours := parseTicket(b[:n]); ours {
			t.Errorf("the first %d bytes are taken for a ticket", n)
		}
	}
	b[20]++ // another version
	if _, ours := parseTicket(b); ours {
		t.Error("another version is taken for ours")
	}
}
