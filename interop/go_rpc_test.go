//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/group"
)

// startRPCPeer is startPeer for a node that opens and calls RPC channels by name.
func startRPCPeer(ctx context.Context, t *testing.T, v version, c peerConfig) *peer {
	t.Helper()
	c = c.withDefaults(t)
	args := append([]string{
		"-Djava.net.preferIPv4Stack=true", "-Xmx" + c.Heap, "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
		"-cp", v.classPath(t), "RpcPeer", "--rpc", "none",
	}, c.flags()...)
	return launch(ctx, t, fmt.Sprintf("%s on port %d", v, c.Port), exec.Command(javaCommand(), args...))
}

// open makes the Java node serve an RPC channel, and able to call it.
func (p *peer) open(ctx context.Context, id, kind string) { p.call(ctx, "rpcopen "+id+" "+kind, "ok") }

// rpc has the Java node call, and returns its replies as "class text", sorted by sender.
func (p *peer) rpc(ctx context.Context, to, id, mode string, options int, kind string, argument []byte) ([]string, time.Duration) {
	p.t.Helper()
	text := "-"
	if len(argument) > 0 {
		text = fmt.Sprintf("%x", argument)
	}
	e := p.call(ctx, fmt.Sprintf("rpccall %s %s %s %d %d %s %s", to, id, mode, options, patience.Milliseconds(), kind, text), "rpcReplies")
	var replies []string
	for _, r := range e.Replies {
		_, reply, _ := strings.Cut(r, " ")
		replies = append(replies, reply)
	}
	return replies, time.Duration(e.Micros) * time.Microsecond
}

// shown is how the Java node prints bytes.
func shown(b []byte) string {
	if len(b) > 64 {
		return hashOf(b)
	}
	return fmt.Sprintf("%x", b)
}

// rpcCase is what the tests of both directions need: a Java node and two of this module.
type rpcCase struct {
	t    *testing.T
	ctx  context.Context
	p    *peer
	a, b *node
}

// TestRPC has a Java node call members of this module, and members call it, in all modes and with all kinds of objects.
func TestRPC(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			address := freeGroup(t)
			c := &rpcCase{t: t, ctx: ctx}
			c.a, c.b = startNode(ctx, t, goConfig{Group: address}), startNode(ctx, t, goConfig{Group: address})
			c.p = startRPCPeer(ctx, t, v, peerConfig{Group: address})
			meet(ctx, t, c.a, c.p)
			meet(ctx, t, c.b, c.p)
			c.a.awaitJoin(ctx, c.b)
			for _, kind := range []string{"echo", "null", "object", "throw", "slow", "fails", "unserved"} {
				c.p.open(ctx, kind, kind)
			}
			c.serve("echo", func(_ context.Context, req *group.Request) (group.Body, error) { return req.Body, nil })
			c.serve("fails", func(context.Context, *group.Request) (group.Body, error) {
				return group.Body{}, errors.New("asked to fail")
			})
			c.fromGo()
			c.kindsFromGo()
			c.reasonsFromGo()
			c.fromJava()
			c.kindsFromJava()
			c.reasonsFromJava()
			c.departure(v != v110)
		})
	}
}

// rpc is an RPC of a member of this module.
func (c *rpcCase) rpc(n *node, id string) *group.RPC {
	c.t.Helper()
	r, err := n.group.RPC(id)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *rpcCase) serve(id string, h group.BodyHandler) {
	c.t.Helper()
	for _, n := range []*node{c.a, c.b} {
		if _, err := c.rpc(n, id).HandleBody(h, group.HandlerConfig{}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// to are the Java node and the other member, as a sees them.
func (c *rpcCase) to() []*group.Member { return []*group.Member{c.a.seen(c.p), c.a.seen(c.b)} }

// fromGo calls the Java node and the other member together, in all modes.
func (c *rpcCase) fromGo() {
	large := bytes.Repeat([]byte("0123456789"), 30_000) // in Java's blocks of 1024 bytes, and in one
	for _, tt := range []struct {
		mode    group.Mode
		replies int
		options group.Options
	}{
		{group.FirstReply, 1, group.UseAck}, {group.MajorityReply, 2, group.UseAck}, {group.AllReplies, 2, group.UseAck},
		{group.AllReplies, 2, group.NoAck}, {group.AllReplies, 2, group.Sync}, {group.AllReplies, 2, group.Async}, {group.Mode(2), 2, group.UseAck},
	} {
		for _, argument := range [][]byte{[]byte("ping"), {}, large} {
			answers, err := c.rpc(c.a, "echo").Call(c.ctx, c.to(), argument, tt.mode, group.RequestOptions(tt.options))
			got := 0
			for _, x := range answers {
				if x.Outcome == group.CallReplied && x.Kind == group.BodyBytes && bytes.Equal(x.Bytes, argument) {
					got++
				}
			}
			if err != nil || got < tt.replies {
				c.t.Errorf("mode %v, options %v, %d bytes: %d good replies, %v; want %d", tt.mode, tt.options, len(argument), got, err, tt.replies)
			}
		}
	}
	if _, err := c.rpc(c.a, "echo").Call(c.ctx, c.to(), []byte("nothing back"), group.NoReply); err != nil {
		c.t.Errorf("mode none: %v", err)
	}
	c.p.waitEvent(c.ctx, "rpcRequest", func(e event) bool { return e.Value == fmt.Sprintf("%x", "nothing back") })
}

// kindsFromGo sends each kind of object to the Java node, which sends it back.
func (c *rpcCase) kindsFromGo() {
	for _, tt := range []struct {
		id    string
		body  group.Body
		class string // as Java sees it
		want  group.BodyKind
		back  string // class
	}{
		{"echo", group.Body{Bytes: []byte("x")}, "org.apache.catalina.tribes.ByteMessage", group.BodyBytes, "org.apache.catalina.tribes.ByteMessage"},
		{"echo", group.Body{Kind: group.BodyArray, Bytes: []byte("x")}, "[B", group.BodyArray, "[B"},
		{"echo", group.Body{Kind: group.BodyString, Bytes: []byte("gr\u00fc\u00dfe \U0001f600")}, "java.lang.String", group.BodyString, "java.lang.String"},
		{"echo", group.Body{Kind: group.BodyNull}, "", group.BodyNull, ""},
		{"null", group.Body{Bytes: []byte("x")}, "org.apache.catalina.tribes.ByteMessage", group.BodyNull, ""},
		{"object", group.Body{Bytes: []byte("x")}, "org.apache.catalina.tribes.ByteMessage", group.BodyObject, "java.lang.Integer"},
	} {
		c.p.events("rpcRequest", nil)
		answers, err := c.rpc(c.a, tt.id).CallBody(c.ctx, c.to()[:1], tt.body, group.AllReplies)
		if err != nil {
			c.t.Errorf("%s with kind %d: %v", tt.id, tt.body.Kind, err)
			continue
		}
		x := answers[0]
		if x.Kind != tt.want || x.Class() != tt.back || x.Kind == tt.body.Kind && !bytes.Equal(x.Bytes, tt.body.Bytes) {
			c.t.Errorf("%s with kind %d: a reply %+v of class %q, want kind %d of class %q", tt.id, tt.body.Kind, x.Body, x.Class(), tt.want, tt.back)
		}
		if e := c.p.waitEvent(c.ctx, "rpcRequest", nil); e.Kind != tt.class || e.FromID != c.a.id {
			c.t.Errorf("%s with kind %d: Java got class %q of %s, want %q of %s", tt.id, tt.body.Kind, e.Kind, e.FromID, tt.class, c.a.id)
		}
	}
}

// reasonsFromGo has calls that the Java node does not answer, or answers late.
func (c *rpcCase) reasonsFromGo() {
	answers, err := c.rpc(c.a, "nobody").Call(c.ctx, c.to(), nil, group.AllReplies)
	if !errors.Is(err, group.ErrNoHandler) || answers[0].Outcome != group.CallNoHandler || answers[1].Outcome != group.CallNoHandler {
		c.t.Errorf("a call that nobody serves: %v, want no handler at both", err)
	}
	short, cancel := context.WithTimeout(c.ctx, 100*time.Millisecond)
	defer cancel()
	answers, err = c.rpc(c.a, "throw").Call(short, c.to(), nil, group.AllReplies) // Java does not tell
	if !errors.Is(err, group.ErrTimeout) || answers[0].Outcome != group.CallTimedOut || answers[1].Outcome != group.CallNoHandler {
		c.t.Errorf("a callback that throws: %v, want a timeout and no handler", err)
	}
	late := make(chan string, 1)
	c.rpc(c.a, "slow").HandleLate(func(from *group.Member, b group.Body) { late <- string(b.Bytes) })
	short, cancel = context.WithTimeout(c.ctx, 20*time.Millisecond)
	defer cancel()
	if _, err = c.rpc(c.a, "slow").Call(short, c.to()[:1], []byte("late"), group.FirstReply); !errors.Is(err, group.ErrTimeout) {
		c.t.Errorf("a slow callback: %v, want a timeout", err)
	}
	select {
	case text := <-late:
		if text != "late" {
			c.t.Errorf("the late reply is %q", text)
		}
	case <-c.ctx.Done():
		c.t.Error("the late reply did not come")
	}
}

// fromJava has the Java node call both members, in all modes.
func (c *rpcCase) fromJava() {
	large := bytes.Repeat([]byte("0123456789"), 3_000)
	for _, tt := range []struct {
		mode    string
		options int
		least   int
	}{
		{"first", optAck, 1}, {"majority", optAck, 1}, {"all", optAck, 2}, {"all", 0, 2}, {"all", optSync, 2}, {"all", optAsync, 2}, {"none", optAck, 0},
	} {
		for _, argument := range [][]byte{[]byte("ping"), {}, large} {
			got, took := c.p.rpc(c.ctx, "all", "echo", tt.mode, tt.options, "bytes", argument)
			want := "ByteMessage " + shown(argument)
			if len(got) < tt.least || tt.mode == "none" && len(got) > 0 || slices.ContainsFunc(got, func(s string) bool { return s != want }) || took > patience/2 {
				c.t.Errorf("mode %s, options %#x, %d bytes: %d replies after %v, want %d", tt.mode, tt.options, len(argument), len(got), took, tt.least)
			}
		}
	}
	// What did not wait for replies is told of them, from both, also without a wait.
	c.p.events("rpcLeftOver", nil)
	c.p.rpc(c.ctx, "all", "echo", "none", optAck, "string", []byte("over"))
	for range 2 {
		c.p.waitEvent(c.ctx, "rpcLeftOver", func(e event) bool { return e.Value == "over" })
	}
}

// kindsFromJava has the Java node send each kind of object and get it back.
func (c *rpcCase) kindsFromJava() {
	for _, tt := range []struct{ kind, want string }{
		{"bytes", "ByteMessage 7879"}, {"array", "byte[] 7879"}, {"string", "String xy"}, {"null", "null null"}, {"object", "Integer 42"},
	} {
		if got, _ := c.p.rpc(c.ctx, c.b.id, "echo", "all", optAck, tt.kind, []byte("xy")); !slices.Equal(got, []string{tt.want}) {
			c.t.Errorf("%s: replies %q, want %q", tt.kind, got, tt.want)
		}
	}
}

// reasonsFromJava has calls that our members do not answer with a reply. The Java node waits for none of them.
func (c *rpcCase) reasonsFromJava() {
	for _, id := range []string{"unserved", "fails"} {
		for _, mode := range []string{"first", "majority", "all"} {
			if got, took := c.p.rpc(c.ctx, "all", id, mode, optAck, "string", []byte("x")); len(got) != 0 || took > patience/2 {
				c.t.Errorf("%s, mode %s: replies %q after %v, want none at once", id, mode, got, took)
			}
		}
	}
	for n, st := range map[*node]group.RPCStats{c.a: c.a.group.Stats().RPC, c.b: c.b.group.Stats().RPC} {
		if st.HandlerErrors < 3 || st.NoHandler < 3 || st.Dropped != 0 || st.Lost != 0 {
			c.t.Errorf("%s: stats %+v, want errors and calls without a handler, and nothing dropped or lost", n, st)
		}
	}
}

// departure has the Java node leave, or be killed, while a call waits for it.
func (c *rpcCase) departure(leaves bool) {
	c.p.events("rpcRequest", nil)
	type result struct {
		answers []group.Answer
		err     error
	}
	ended := make(chan result, 1)
	to := c.to()
	go func() { // ends with the call
		answers, err := c.rpc(c.a, "throw").Call(c.ctx, to[:1], nil, group.FirstReply)
		ended <- result{answers, err}
	}()
	c.p.waitEvent(c.ctx, "rpcRequest", nil)
	outcome, want := group.CallFailed, group.ErrMemberFailed
	if leaves {
		outcome, want = group.CallLeft, group.ErrMemberLeft
		c.p.leave(c.ctx)
	} else {
		c.p.kill()
	}
	if r := <-ended; r.answers[0].Outcome != outcome || !errors.Is(r.err, want) {
		c.t.Errorf("a call to a node that departs ended with %s, %v; want %s", r.answers[0].Outcome, r.err, outcome)
	}
}
