package mcast

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// vector is a datagram that a node of Tribes 10.1 sent.
type vector struct {
	Name   string
	Hex    string
	Fields struct {
		AliveTime int64
		Address   struct{ Domain string }
		UniqueID  string
		UniqueIDs []string
		Message   string
		Timestamp int64
		Options   uint32
	}
}

func (v *vector) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vectors(t testing.TB) map[string]*vector {
	t.Helper()
	byName := make(map[string]*vector)
	for _, v := range golden.Read[*vector](t, "mcast.json") {
		byName[v.Name] = v
	}
	return byName
}

// bench is a listener without goroutines, to be fed by hand.
type bench struct {
	*listener
	events []membership.Event
}

func newBench(t testing.TB, cfg Config) *bench {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{listener: newListener(s)}
	local := newMember(t, 1, nil)
	s.env = membership.Env{Local: local, Listen: true, Announce: true, Logger: s.logger.Load(),
		Notify: func(ev membership.Event) { b.events = append(b.events, ev) }}
	s.local.Store(local)
	s.alive.start(0)
	s.pulse.start(s.cfg.DropTime)
	return b
}

func (b *bench) feed(data []byte) {
	b.handle(&datagram{b: data, from: netip.MustParseAddrPort("10.11.0.1:45564")}, time.Now())
}

// collect lets messages pile up, and returns a function that takes them out.
func (b *bench) collect() func() []*message.Message {
	b.upper.Deliver = func(context.Context, *message.Message) error { return nil }
	b.inbox.wake = make(chan struct{}, 1)
	return func() []*message.Message {
		var all []*message.Message
		for {
			w, _ := b.inbox.take()
			if w.m == nil {
				return all
			}
			b.inbox.delivered(w)
			all = append(all, w.m)
		}
	}
}

func TestGoldenMember(t *testing.T) {
	vs := vectors(t)
	heartbeat, goodbye := vs["mcast-heartbeat"], vs["mcast-shutdown"]
	b := newBench(t, Config{})
	b.feed(heartbeat.bytes(t))
	b.feed(append(heartbeat.bytes(t), "what follows is ignored"...))
	b.feed(goodbye.bytes(t))
	if len(b.events) != 2 || b.events[0].Kind != membership.Joined || b.events[1].Kind != membership.Left {
		t.Fatalf("events %v, want joined and left", b.events)
	}
	m := b.events[0].Member
	if got := m.AppendImage(nil, heartbeat.Fields.AliveTime); !slices.Equal(got, heartbeat.bytes(t)) {
		t.Errorf("heartbeat %x, want %s", got, heartbeat.Hex)
	}
	if got := hex.EncodeToString([]byte(goodbyeOf(t, m, goodbye.Fields.AliveTime).Image())); got != goodbye.Hex {
		t.Errorf("goodbye %s, want %s", got, goodbye.Hex)
	}
	if got := b.Stats(); got.Heartbeats != 1 || len(got.Rejected) != 0 || got.ForeignSource != 0 {
		t.Errorf("stats %+v", got)
	}
}

func TestGoldenMessages(t *testing.T) {
	vs := vectors(t)
	b := newBench(t, Config{Messages: FromAnyone})
	taken := b.collect()
	one, two := vs["mcast-broadcast-message"], vs["mcast-two-frames"]
	b.feed(one.bytes(t))
	got := taken()
	if len(got) != 1 {
		t.Fatalf("%d messages, want 1", len(got))
	}
	m := got[0]
	f := one.Fields
	if hex.EncodeToString(m.Payload()) != f.Message || m.ID.String() != f.UniqueID || m.Sent != f.Timestamp ||
		uint32(m.Options) != f.Options || hex.EncodeToString([]byte(m.Source.Domain())) != f.Address.Domain {
		t.Errorf("message %s %q from %s, want %+v", m.ID, m.Payload(), m.Source, f)
	}
	if again := hex.EncodeToString(message.AppendFrame(nil, m, 0)); again != one.Hex {
		t.Errorf("encoded again %s, want %s", again, one.Hex)
	}
	m.Release()

	b.feed(two.bytes(t)) // the first of them is the one from above, which is not delivered again
	rest := taken()
	if len(rest) != 1 || rest[0].ID.String() != two.Fields.UniqueIDs[1] {
		t.Errorf("messages of the second datagram: %v, want %s alone", rest, two.Fields.UniqueIDs[1])
	}
	for _, m := range rest {
		m.Release()
	}
	if got := b.counts.rejected[repeatedMessage].Load(); got != 1 {
		t.Errorf("%d repeated, want 1", got)
	}
}

// frameOf is the frame of a message from a member at 10.0.0.7.
func frameOf(payload string) []byte {
	m, err := membership.New(membership.Attributes{Host: host(7), Port: 4000, SecurePort: -1, UDPPort: -1, ID: membership.ID{7}})
	if err != nil {
		panic(err)
	}
	return frameFrom(m, payload)
}

func frameFrom(source *membership.Member, payload string) []byte {
	var pool message.Pool
	m := pool.New(len(payload))
	defer m.Release()
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Options = message.NewID(), source, message.ByteMessage|message.Multicast
	return message.AppendFrame(nil, m, 0)
}

// What a member sends is what a node of Tribes with its attributes sends, to
// the last byte.
func TestGoldenDatagrams(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		vs := vectors(t)
		heartbeat, goodbye := vs["mcast-heartbeat"], vs["mcast-shutdown"]
		m, _, err := membership.Decode(heartbeat.bytes(t))
		if err != nil {
			t.Fatal(err)
		}
		e := newEther()
		var sent []string
		e.setFilter(func(from, to *port, b []byte) bool {
			sent = append(sent, hex.EncodeToString(b))
			return true
		})
		n := e.newNode(t, m, nil)
		n.start()
		pass(2 * e.delay)
		if len(sent) != 1 || sent[0] != heartbeat.Hex {
			t.Errorf("the first datagrams are %q, want %q", sent, heartbeat.Hex)
		}
		sent = nil
		hearing := e.open(host(9)) // hears what a stopped node says last
		n.stop()
		pass(2 * e.delay)
		_ = hearing.Close()
		const alive = "................"
		blank := func(s string) string { return s[:28] + alive + s[28+len(alive):] }
		if len(sent) != 2 || blank(sent[0]) != blank(goodbye.Hex) || blank(sent[1]) != blank(goodbye.Hex) {
			t.Errorf("the last datagrams are %q, want two of %q", sent, goodbye.Hex)
		}
	})
}
