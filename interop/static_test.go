//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/message"
)

// Times of the static lists in these tests.
const (
	staticPing       = 500 * time.Millisecond
	staticExpiration = 2 * time.Second
)

// memberUID is the class version of members in Java objects.
func (v version) memberUID() int64 {
	if v == v90 {
		return static.Java9
	}
	return static.Java101
}

// pairing is a Go node and a Java node that have each other on their lists.
type pairing struct {
	v        version
	name     string // of the channel
	goPort   int
	goID     membership.ID // fixed, or zero for a new one at each start
	javaPort int
	javaID   string // for the Java node
	known    string // id of the Java node on the Go node's list, empty for unknown
	listed   string // id of the Go node on the Java node's list
	uid      int64
	taps     []channel.Interceptor // below the other layers of the Go node
}

// newPairing makes a pairing in which the nodes know each other's ids, or not.
func newPairing(t *testing.T, v version, known bool) *pairing {
	t.Helper()
	p := &pairing{
		v: v, name: "static", goPort: freePort(t), javaPort: freePort(t),
		javaID: newID(), listed: newID(), uid: v.memberUID(),
	}
	if known {
		p.known = p.javaID
		p.goID = parseID(t, p.listed)
	}
	return p
}

func parseID(t *testing.T, text string) membership.ID {
	t.Helper()
	id, err := membership.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// list is that of the Go node, with its own address on it.
func (p *pairing) list(t *testing.T) static.Config {
	t.Helper()
	java := static.Peer{Addr: fmt.Sprintf("%s:%d", loopback, p.javaPort)}
	if p.known != "" {
		java.ID = parseID(t, p.known)
	}
	return static.Config{
		Members:    []static.Peer{{Addr: fmt.Sprintf("%s:%d", loopback, p.goPort)}, java},
		Ping:       staticPing,
		Expiration: staticExpiration,
		JavaUID:    p.uid,
	}
}

func (p *pairing) startGo(ctx context.Context, t *testing.T) *node {
	t.Helper()
	layers := []channel.Interceptor{new(interceptor.Dispatch), new(interceptor.TCPFailureDetector)}
	return startNode(ctx, t, goConfig{
		Port:   p.goPort,
		Layers: append(layers, p.taps...),
		Options: []group.Option{
			group.WithName(p.name), group.WithID(p.goID), group.WithStatic(p.list(t)),
		},
	})
}

func (p *pairing) startJava(ctx context.Context, t *testing.T) *peer {
	t.Helper()
	return startPeer(ctx, t, p.v, peerConfig{
		Port: p.javaPort, ID: p.javaID, Name: p.name, Frequency: staticPing, Drop: staticExpiration,
		Static: []string{fmt.Sprintf("%s:%d:%s", loopback, p.goPort, p.listed)},
	})
}

// joinSince fails the test unless a and b have seen each other within two pings of begin.
func joinSince(ctx context.Context, t *testing.T, begin time.Time, a, b party) {
	t.Helper()
	for _, pair := range [][2]party{{a, b}, {b, a}} {
		e := pair[0].awaitJoin(ctx, pair[1])
		took := time.UnixMilli(e.Time).Sub(begin)
		t.Logf("%s is told of %s after %v", pair[0], pair[1], took)
		if took > 2*staticPing {
			t.Errorf("%s is told of %s after %v, want %v at most", pair[0], pair[1], took, 2*staticPing)
		}
	}
	meetAlready(ctx, t, a, b)
}

// TestStaticLists lets a Go node and a Java node find each other by lists, in both orders, with the unique ids on the
// lists and without them; messages pass both ways; each leaves in order, and the Java one is killed.
func TestStaticLists(t *testing.T) {
	for _, v := range versions {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, ids known %v", v, known), func(t *testing.T) {
				t.Parallel() // mostly waiting
				ctx := testContext(t)
				p := newPairing(t, v, known)

				java := p.startJava(ctx, t)
				begin := time.Now()
				n := p.startGo(ctx, t)
				joinSince(ctx, t, begin, n, java)
				trade(ctx, t, n, java, bulkSend{Options: optSync, Series: series{1, 1000}, Count: 200}, inOrder)
				n.leave()
				if e := java.waitEvent(ctx, "memberDisappeared", about(n)); e.Command != leaveCommand {
					t.Errorf("%s left with command %q, want %q", n, e.Command, leaveCommand)
				}

				n = p.startGo(ctx, t)
				meet(ctx, t, n, java)
				java.leave(ctx)
				if e := n.waitEvent(ctx, eventLeft, about(java)); e.Command != leaveCommand {
					t.Errorf("%s left with command %q, want %q", java, e.Command, leaveCommand)
				}

				java = p.startJava(ctx, t)
				joinSince(ctx, t, time.Now(), java, n)
				killed := time.Now()
				java.kill()
				e := n.waitEvent(ctx, eventFailed, about(java))
				if took := time.UnixMilli(e.Time).Sub(killed); took > staticExpiration+time.Second {
					t.Errorf("the failure was seen after %v, want %v at most", took, staticExpiration+time.Second)
				}
				if got := n.members(ctx); len(got) != 0 {
					t.Errorf("members = %v, want none", got)
				}
			})
		}
	}
}

// TestStaticRestart kills a Java node and starts it again on the same port with another id, before anybody can have
// missed it: both see each other at once, and the old one is gone when the new one is there.
func TestStaticRestart(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			p := newPairing(t, v, false)
			n := p.startGo(ctx, t)
			old := p.startJava(ctx, t)
			meet(ctx, t, n, old)
			old.kill()
			p.javaID = newID()
			again := p.startJava(ctx, t)
			joinSince(ctx, t, time.Now(), again, n)
			n.waitEvent(ctx, eventFailed, about(old))
			if got := n.members(ctx); !slices.Equal(got, []string{again.addr}) {
				t.Errorf("members = %v, want the new node alone", got)
			}
			if _, id := identityOf(n.group.View().Members[0]); id != again.id {
				t.Errorf("the member has the id %s, want %s", id, again.id)
			}

			// The Go node restarts likewise, after a goodbye, as it has a new id at each start.
			n.leave()
			java := again
			java.waitEvent(ctx, "memberDisappeared", about(n))
			next := p.startGo(ctx, t)
			meet(ctx, t, next, java)
			if got := java.members(ctx); !slices.Equal(got, []string{next.addr}) {
				t.Errorf("members of %s = %v, want the new node alone", java, got)
			}
		})
	}
}

// TestStaticMixed lets all lines meet one Go node that is configured for 10.1: the node of 9.0 cannot read what is
// written for another line, and is answered in its own because it asks first.
func TestStaticMixed(t *testing.T) {
	ctx := testContext(t)
	p := newPairing(t, v101, false)
	var all []*peer
	for _, v := range versions {
		one := *p
		one.v, one.javaPort, one.javaID = v, freePort(t), newID()
		all = append(all, one.startJava(ctx, t))
	}
	n := p.startGo(ctx, t) // has none of them on its list
	for _, java := range all {
		meet(ctx, t, n, java)
	}
	for _, java := range all {
		java.leave(ctx)
		n.waitEvent(ctx, eventLeft, about(java))
	}
}

// TestStaticWithoutName joins channels that have no name: Java calls them null.
func TestStaticWithoutName(t *testing.T) {
	ctx := testContext(t)
	p := newPairing(t, v101, false)
	p.name = ""
	java := p.startJava(ctx, t)
	meet(ctx, t, p.startGo(ctx, t), java)
}

// TestStaticBytes compares what Java sends for its membership with what we send: the same but for ids, times and
// options of answers.
func TestStaticBytes(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			p := newPairing(t, v, false)
			w := new(wiretap)
			p.taps = []channel.Interceptor{w}
			n, java := p.startGo(ctx, t), p.startJava(ctx, t)
			meet(ctx, t, n, java)
			java.leave(ctx)
			n.waitEvent(ctx, eventLeft, about(java))
			n.leave()
			w.check(t, p)
		})
	}
}

// wiretap is a layer that keeps all messages that are no byte messages.
type wiretap struct {
	mu       sync.Mutex
	received []*message.Message
}

func (w *wiretap) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	return below, nil
}

func (w *wiretap) BindUp(above channel.Up) channel.Up {
	next := above.Receive
	above.Receive = func(ctx context.Context, m *message.Message) error {
		if !m.Options.Has(message.ByteMessage) {
			w.mu.Lock()
			w.received = append(w.received, m.Clone())
			w.mu.Unlock()
		}
		return next(ctx, m)
	}
	return above
}

// check looks at each message of the Java node.
func (w *wiretap) check(t *testing.T, p *pairing) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	kinds := make(map[string]int)
	for _, m := range w.received {
		kind, mm := describe(t, m)
		kinds[kind]++
		about, _, err := membership.Decode(mm.Member.Image)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if about.Key() != m.Source.Key() || about.ID().String() != p.javaID {
			t.Errorf("%s is about %s and from %s, want %s in both", kind, about, m.Source, p.javaID)
		}
		if mm.Member.UID != p.v.memberUID() || string(mm.MembershipID) != p.name+"-StaticMembership" {
			t.Errorf("%s has the class version %x and the id %q", kind, mm.Member.UID, mm.MembershipID)
		}
	}
	t.Logf("received %v", kinds)
	const start, ping, stop = "question 1, options async", "answer 3, options 0", "notice 2, options async"
	if kinds[start] == 0 || kinds[ping]+kinds["answer 1, options 0"] == 0 || kinds[stop] != 1 {
		t.Errorf("received %v, want a START, answers with options 0 and one STOP", kinds)
	}
}

// describe decodes a message and checks that encoding what was decoded gives the same bytes.
func describe(t *testing.T, m *message.Message) (kind string, mm *javaser.MemberMessage) {
	t.Helper()
	call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
	if err != nil {
		if mm, err = javaser.DecodeMemberMessage(m.Payload(), javaser.Limits{}); err != nil {
			t.Fatalf("message %x: %v", m.Payload(), err)
		}
		sameBytes(t, m, mm)
		return fmt.Sprintf("notice %d, options %v", mm.Type, m.Options), mm
	}
	sameBytes(t, m, call)
	mm, ok := call.Message.(*javaser.MemberMessage)
	if !ok {
		t.Fatalf("remote call with %T", call.Message)
	}
	kind = "question"
	if call.Reply {
		kind = "answer"
	}
	return fmt.Sprintf("%s %d, options %v", kind, mm.Type, m.Options), mm
}

func sameBytes(t *testing.T, m *message.Message, v javaser.Value) {
	t.Helper()
	b, err := javaser.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, m.Payload()) {
		t.Errorf("Java wrote\n%s, we would write\n%s", hex.EncodeToString(m.Payload()), hex.EncodeToString(b))
	}
}
