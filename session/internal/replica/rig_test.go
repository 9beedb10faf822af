package replica

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/transport/mem"
)

// rig is a network in memory, in a bubble, with engines and with members that behave as a
// test wants.
type rig struct {
	t   testing.TB
	net *mem.Network
	end []func()
}

func inRig(t *testing.T, run func(r *rig)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.stop()
		run(r)
	})
}

func newRig(t testing.TB) *rig { return &rig{t: t, net: mem.NewNetwork(mem.Config{Seed: 1})} }

func (r *rig) stop() {
	for i := len(r.end) - 1; i >= 0; i-- {
		r.end[i]()
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// member starts a member of the group.
func (r *rig) member(name string) *group.Group {
	r.t.Helper()
	parts := r.net.Node(name)
	g, err := group.New(group.WithName(name), group.WithTransport(parts.Sender, parts.Receiver), group.WithMembership(parts.Membership))
	must(r.t, err, g.Start(context.Background()))
	r.end = append(r.end, func() { must(r.t, g.Stop(context.Background())) })
	return g
}

// node is an engine that is not started, and what it has logged and told.
type node struct {
	*Engine
	t   testing.TB
	g   *group.Group
	log *lines

	mu  sync.Mutex
	evs []Event
}

func (r *rig) boot(name string, set func(*Config)) *node {
	r.t.Helper()
	n := &node{t: r.t, g: r.member(name), log: new(lines)}
	c := Config{
		Group: n.g, Name: "/app", Codec: "gob", Route: name, Sessions: 1000, Sweep: time.Second, Attributes: true,
		Logger: slog.New(n.log), Expire: n.expired, Tell: n.told,
	}
	if set != nil {
		set(&c)
	}
	e, err := New(c)
	must(r.t, err)
	n.Engine = e
	r.end = append(r.end, e.Close)
	return n
}

// start is boot and waits until the engine is ready.
func (r *rig) start(name string, set func(*Config)) *node {
	r.t.Helper()
	n := r.boot(name, set)
	must(r.t, n.Start(context.Background()))
	return n
}

func (n *node) told(ev Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.evs = append(n.evs, ev)
}

func (n *node) expired(h *table.Entry) {
	h.Mu.Lock()
	defer h.Mu.Unlock()
	if h.Expired(n.Now()) {
		_ = n.End(h, record.Expired) // or it was ended in between
	}
}

// self is the node as others see it.
func (n *node) self() *membership.Member { return n.g.Local() }

// create makes a session and commits it.
func (n *node) create(id string) *table.Entry {
	n.t.Helper()
	h := n.Create()
	must(n.t, h.Begin(id, time.Hour, n.Now()), h.Rec.Set("k", []byte("v")), n.Add(h))
	must(n.t, n.Commit(context.Background(), h))
	return h
}

// set writes to a session and commits.
func (n *node) set(h *table.Entry, name, value string) error {
	n.t.Helper()
	h.Mu.Lock()
	err := h.Rec.Set(name, []byte(value))
	h.Mu.Unlock()
	must(n.t, err)
	return n.Commit(context.Background(), h)
}

// get reads an attribute of the session that an id leads to.
func (n *node) get(id, name string) string {
	h := n.Peek(id)
	if h == nil {
		return ""
	}
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	v, _ := h.Rec.Get(name)
	return string(v.Bytes)
}

// rogue is a member that sends what it likes.
type rogue struct {
	t     testing.TB
	g     *group.Group
	topic *group.Topic

	mu  sync.Mutex
	got []sessionwire.Message
	on  func(sessionwire.Message) error // what it does with a message; nil takes it
}

func (r *rig) rogue(name string) *rogue {
	r.t.Helper()
	x := &rogue{t: r.t, g: r.member(name)}
	topic, err := x.g.Topic("session:/app")
	must(r.t, err)
	x.topic = topic
	r.end = append(r.end, topic.Listen(x.receive))
	synctest.Wait()
	return x
}

func (x *rogue) receive(_ context.Context, m *message.Message) error {
	msg, err := sessionwire.Decode(m.Clone().Payload())
	if err != nil {
		x.t.Errorf("an engine has sent %x: %v", m.Payload(), err)
		return err
	}
	x.mu.Lock()
	x.got = append(x.got, msg)
	on := x.on
	x.mu.Unlock()
	if on != nil {
		return on(msg)
	}
	return nil
}

// does sets what the rogue does with messages from now on.
func (x *rogue) does(f func(sessionwire.Message) error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.on, x.got = f, nil
}

// kinds counts the messages of a kind that have come.
func (x *rogue) kinds(k sessionwire.Kind) (all []sessionwire.Message) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range x.got {
		if m.Kind() == k {
			all = append(all, m)
		}
	}
	return all
}

func (x *rogue) node() record.Node { return record.NodeOf(x.g.Local().ID()) }

// bytes sends anything to a node and returns what that says.
func (x *rogue) bytes(to *node, b []byte) error {
	_, err := x.topic.Send(context.Background(), []*membership.Member{to.self()}, b, message.Sync)
	return err
}

func (x *rogue) send(to *node, m sessionwire.Message) error {
	return x.bytes(to, sessionwire.Append(nil, m))
}

// meet makes the rogue a peer of the node.
func (x *rogue) meet(to *node, s sessionwire.State) {
	x.t.Helper()
	must(x.t, x.send(to, hello(s)))
	synctest.Wait()
}

func hello(s sessionwire.State) *sessionwire.Hello {
	return &sessionwire.Hello{Manager: "/app", MinVersion: 1, MaxVersion: 1, Codec: "gob", Route: "rogue", State: s}
}

// made returns a session as the rogue has made it, and the change that says so.
func (x *rogue) made(key uint64, set func(*record.Session)) (*record.Session, *sessionwire.Change) {
	s := record.New(record.NewSite(x.g.Local().ID(), record.Limits{Value: 1 << 24, Name: 1 << 16, ID: 1 << 16, Attributes: 1 << 20, Bytes: 1 << 28}, false), keyOf(key))
	must(x.t, s.SetID(fmt.Sprintf("id-%d.x", key)), s.SetTimeout(time.Hour, 0))
	if set != nil {
		set(s)
	}
	return s, &sessionwire.Change{Change: *s.Take(0)}
}

func keyOf(n uint64) (k record.Key) {
	for i := range 8 {
		k[i] = byte(n >> (8 * i))
	}
	return k
}

// lines is a log: the texts, without what is debugging.
type lines struct {
	mu  sync.Mutex
	all []slog.Record
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level > slog.LevelInfo }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *lines) WithGroup(string) slog.Handler                    { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r)
	return nil
}

// count returns how many lines have a text in them, and how many bytes the longest has.
func (l *lines) count(text string) (n, longest int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		if !strings.Contains(r.Message, text) {
			continue
		}
		n++
		size := len(r.Message)
		r.Attrs(func(a slog.Attr) bool { size += len(a.String()); return true })
		longest = max(longest, size)
	}
	return n, longest
}

// golden returns the messages that the protocol is documented by.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../sessionwire/testdata/messages.json")
	must(t, err)
	var list []struct{ Name, Hex string }
	must(t, json.Unmarshal(text, &list))
	all := make(map[string][]byte)
	for _, v := range list {
		b, err := hex.DecodeString(v.Hex)
		must(t, err)
		all[v.Name] = b
	}
	if len(all) < 10 {
		t.Fatalf("%d messages", len(all))
	}
	return all
}
