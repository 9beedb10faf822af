package channel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/testlog"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var errListener = errors.New("no room on the shelf")

// picky is a listener for messages that begin in one way.
type picky struct {
	prefix string
	j      *journal
	err    error
}

func (l picky) Accept(m *message.Message) bool {
	return strings.HasPrefix(string(m.Payload()), l.prefix)
}

func (l picky) Receive(_ context.Context, m *message.Message) error {
	l.j.add(l.prefix + " got " + string(m.Payload()))
	return l.err
}

func TestListeners(t *testing.T) {
	b := newBottom()
	c := start(t, b.config())
	from := named(t, "z")
	j := new(journal)
	deliver := func(payload string, wantErr error, want ...string) {
		t.Helper()
		if err := b.receiver.deliver(from, payload); !errors.Is(err, wantErr) {
			t.Errorf("%q: error = %v, want %v", payload, err, wantErr)
		}
		if diff := cmp.Diff(want, j.take()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", payload, diff)
		}
	}
	errLater := errors.New("a later error does not count")
	deliver("alone", nil)
	removeA := c.Listen(picky{"a", j, nil})
	same := picky{"b", j, errListener}
	removeB := c.Listen(same)
	c.Listen(same)
	c.Listen(picky{"", j, errLater})
	deliver("abc", errLater, "a got abc", " got abc")
	deliver("b", errListener, "b got b", "b got b", " got b")
	removeB()
	removeB()
	deliver("b", errListener, "b got b", " got b")
	removeA()
	deliver("a", errLater, " got a")
	want := channel.Stats{Received: 5, ReceivedBytes: 5 + 3 + 1 + 1 + 1, Unclaimed: 1, ListenerErrors: 4}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

// ListenerFunc leaves Java objects alone.
func TestListenerFunc(t *testing.T) {
	l := listen(func(string) error { return nil })
	tests := []struct {
		name    string
		options message.Options
		want    bool
	}{
		{"bytes", message.ByteMessage | message.Sync, true},
		{"object", message.Sync, false},
	}
	for _, test := range tests {
		if got := l.Accept(&message.Message{Options: test.options}); got != test.want {
			t.Errorf("%s: Accept() = %v, want %v", test.name, got, test.want)
		}
	}
}

// A panic in one listener is an error for the sender and a line in the log; the
// other listeners get the message.
func TestListenerPanics(t *testing.T) {
	b := newBottom()
	var log bytes.Buffer
	cfg := b.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c := start(t, cfg)
	j := new(journal)
	c.Listen(listen(func(string) error { panic("broken") }))
	c.Listen(acceptPanics{})
	c.Listen(picky{"", j, nil})
	err := b.receiver.deliver(named(t, "z"), "x")
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("error = %v, want the panic", err)
	}
	if got := j.take(); len(got) != 1 {
		t.Errorf("the listener behind it got %q", got)
	}
	if n := strings.Count(log.String(), "listener panicked"); n != 2 {
		t.Errorf("%d lines about 2 panics:\n%s", n, log.String())
	}
	if got := c.Stats(); got.Panics != 2 || got.ListenerErrors != 1 || got.Received != 1 {
		t.Errorf("Stats() = %+v, want 2 panics and 1 error", got)
	}
}

type acceptPanics struct{}

func (acceptPanics) Accept(*message.Message) bool                    { panic("broken too") }
func (acceptPanics) Receive(context.Context, *message.Message) error { return nil }

// A listener may listen, remove itself, send, and look around.
func TestListenerUsesChannel(t *testing.T) {
	b := newBottom()
	c := start(t, b.config())
	calls := 0
	var remove func()
	remove = c.Listen(channel.ListenerFunc(func(ctx context.Context, m *message.Message) error {
		calls++
		remove()
		c.Listen(listen(func(string) error { calls += 10; return nil }))
		c.View()
		c.Stats()
		_, err := c.Send(ctx, []*membership.Member{m.Source}, nil, message.UseAck)
		return err
	}))
	for range 2 {
		if err := b.receiver.deliver(named(t, "z"), "x"); err != nil {
			t.Errorf("deliver: %v", err)
		}
	}
	if calls != 11 {
		t.Errorf("calls = %d, want 11: the first listener once, the second once", calls)
	}
}

// Messages that come while the channel starts wait until its layers have, and
// fail if they do not.
func TestDeliverDuringStart(t *testing.T) {
	for name, startErr := range map[string]error{"starts": nil, "fails": errors.New("oops")} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := newBottom()
				release := make(chan struct{})
				b.sender.onStart = func(context.Context) error { <-release; return startErr }
				c, err := channel.New(b.config())
				if err != nil {
					t.Fatal(err)
				}
				got := 0
				c.Listen(listen(func(string) error { got++; return nil }))
				started := make(chan error, 1)
				go func() { started <- c.Start(context.Background()) }() // ends with the start
				synctest.Wait()
				delivered := make(chan error, 1)
				go func() { delivered <- b.receiver.deliver(named(t, "z"), "x") }() // ends with the delivery
				synctest.Wait()
				if got != 0 {
					t.Error("a message was delivered before the layers had started")
				}
				close(release)
				if err := <-started; !errors.Is(err, startErr) {
					t.Errorf("Start() = %v, want %v", err, startErr)
				}
				err = <-delivered
				if startErr == nil && (err != nil || got != 1) {
					t.Errorf("delivered %d messages, %v; want 1, nil", got, err)
				}
				if startErr != nil && (!errors.Is(err, channel.ErrClosed) || got != 0) {
					t.Errorf("delivered %d messages, %v; want 0, %v", got, err, channel.ErrClosed)
				}
				stop(t, c)
			})
		})
	}
}

func TestTraceAndStats(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		type line struct {
			What         string
			Destinations int
			Bytes        int
			Took         time.Duration
			Failed       bool
		}
		var lines []line
		cfg := b.config()
		cfg.Trace = &channel.Trace{
			MessageSent: func(_ message.ID, destinations, bytes int, took time.Duration, err error) {
				lines = append(lines, line{"sent", destinations, bytes, took, err != nil})
			},
			MessageReceived: func(m *message.Message, took time.Duration, err error) {
				lines = append(lines, line{"received", 0, m.Len(), took, err != nil})
			},
		}
		b.sender.onSend = func(_ context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			time.Sleep(time.Second)
			if m.Len() == 0 {
				return errWay
			}
			r.SettleAll(to, message.Acknowledged, nil)
			return nil
		}
		c := start(t, cfg)
		c.Listen(listen(func(payload string) error {
			time.Sleep(time.Minute)
			if payload == "bad" {
				return errListener
			}
			return nil
		}))
		c.Send(t.Context(), members(t, "a", "b"), []byte("four"), 0)
		c.Send(t.Context(), members(t, "a"), nil, 0)
		c.Post(t.Context(), members(t, "a"), nil, 0, nil)
		b.receiver.deliver(named(t, "a"), "good")
		b.receiver.deliver(named(t, "a"), "bad")
		want := []line{
			{"sent", 2, 4, time.Second, false},
			{"sent", 1, 0, time.Second, true},
			{"sent", 1, 0, time.Second, true},
			{"received", 0, 4, time.Minute, false},
			{"received", 0, 3, time.Minute, true},
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
		b.membership.happen(membership.Joined, named(t, "a"))
		stats := channel.Stats{Sent: 1, SentBytes: 8, SendsFailed: 2, Received: 2, ReceivedBytes: 7, ListenerErrors: 1, Members: 1}
		if diff := cmp.Diff(stats, c.Stats()); diff != "" {
			t.Errorf("Stats (-want +got):\n%s", diff)
		}
	})
}

func TestTraceDefaults(t *testing.T) {
	var none *channel.Trace
	for name, tr := range map[string]*channel.Trace{"nil": none.WithDefaults(), "empty": new(channel.Trace).WithDefaults()} {
		t.Run(name, func(t *testing.T) {
			tr.MemberEvent(membership.Event{})
			tr.MessageSent(message.ID{}, 0, 0, 0, nil)
			tr.MessageReceived(nil, 0, nil)
			tr.MessageDropped("", nil, message.ID{}, "")
			tr.LinkUp(nil)
			tr.LinkDown(nil, nil)
			tr.Retry(nil, message.ID{}, nil)
			tr.Probe(nil, channel.ProbeConnect, 0, nil)
			tr.Accepted(here4000)
			tr.Rejected(here4000, "")
			tr.Duplicate(nil, message.ID{})
		})
	}
	called := false
	own := (&channel.Trace{LinkUp: func(*membership.Member) { called = true }}).WithDefaults()
	own.LinkUp(nil)
	if !called {
		t.Error("WithDefaults replaced a function")
	}
}

func TestProbeKindString(t *testing.T) {
	want := map[channel.ProbeKind]string{channel.ProbeConnect: "connect", channel.ProbeWrite: "write", channel.ProbeRead: "read", 0: "unknown", 9: "unknown"}
	for k, s := range want {
		if got := k.String(); got != s {
			t.Errorf("ProbeKind(%d).String() = %q, want %q", k, got, s)
		}
	}
}

// The log has a line for each message at the level Debug, and none above it.
func TestLoggerHasEachMessage(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelDebug: 1, slog.LevelInfo: 0} {
		b, log := newBottom(), new(testlog.Log)
		cfg := b.config()
		cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
		c := start(t, cfg)
		id, err := c.Send(t.Context(), members(t, "a", "b"), []byte("secret"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.receiver.deliver(named(t, "a"), "secret"); err != nil {
			t.Fatal(err)
		}
		got := log.Take()
		sent := fmt.Sprintf(`msg="message sent" msg=%s destinations=2 bytes=6 `, id)
		if strings.Count(got, sent) != want || strings.Count(got, `msg="message received"`) != want || strings.Contains(got, "secret") {
			t.Errorf("log at %s:\n%swant %d lines of each kind, and no payload", level, got, want)
		}
	}
}
