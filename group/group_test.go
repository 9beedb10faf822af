package group

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
	"github.com/gotribes/tribes/transport/nio"
)

// open starts a member on a host of the network and stops it with the test.
func open(t *testing.T, net *mem.Network, host string, options ...Option) *Group {
	t.Helper()
	c := net.Node(host).Config()
	g, err := New(append([]Option{WithTransport(c.Sender, c.Receiver), WithMembership(c.Membership)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Handlers that hang are cut off.
		if err := g.Stop(context.Background()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop of %s: %v", host, err)
		}
	})
	return g
}

// inBubble runs f with two members that see each other.
func inBubble(t *testing.T, f func(t *testing.T, a, b *Group)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		a, b := open(t, net, "a"), open(t, net, "b")
		for _, g := range []*Group{a, b} {
			if err := g.WaitMembers(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		f(t, a, b)
	})
}

// inbox collects payloads.
type inbox struct {
	mu  sync.Mutex
	all []string
}

func (i *inbox) take(_ context.Context, m *message.Message) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, string(m.Payload()))
	return nil
}

func (i *inbox) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.all, ",")
}

func TestPlainListenersDoNotSeeTopics(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		var plain, news, sport inbox
		b.Listen(ListenerFunc(plain.take))
		topic(t, b, "news").Listen(news.take)
		topic(t, b, "sport").Listen(sport.take)
		for _, step := range []struct {
			send func(context.Context, []byte, message.Options) (message.ID, error)
			text string
		}{
			{a.SendAll, "p1"}, {topic(t, a, "news").SendAll, "n1"}, {topic(t, a, "sport").SendAll, "s1"},
			{a.SendAll, ""}, {topic(t, a, "news").SendAll, ""},
		} {
			if _, err := step.send(t.Context(), []byte(step.text), Sync); err != nil {
				t.Fatalf("send %q: %v", step.text, err)
			}
		}
		if got := fmt.Sprint(&plain, " ", &news, " ", &sport); got != "p1, n1, s1" {
			t.Errorf("received %q, want plain p1 and an empty one, news n1 and an empty one, sport s1", got)
		}
	})
}

func topic(t *testing.T, g *Group, name string) *Topic {
	t.Helper()
	tp, err := g.Topic(name)
	if err != nil {
		t.Fatal(err)
	}
	return tp
}

func TestTopicWithoutListenerIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		stop := topic(t, b, "news").Listen(new(inbox).take)
		stop()
		_, err := topic(t, a, "news").SendAll(t.Context(), []byte("x"), Sync)
		var remote *RemoteError
		if !errors.As(err, &remote) || !strings.Contains(remote.Reason, `no listener for the topic "news"`) {
			t.Errorf("SendAll = %v, want a refusal that names the topic", err)
		}
		if _, err := topic(t, a, "news").SendAll(t.Context(), []byte("x"), UseAck); err != nil {
			t.Errorf("SendAll with UseAck = %v, want success: the member has the message", err)
		}
	})
}

func TestTopicListenersShareTheMessageAndTheirErrors(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		var first, second inbox
		tp := topic(t, b, "news")
		tp.Listen(func(ctx context.Context, m *message.Message) error {
			return errors.Join(first.take(ctx, m), errors.New("first fails"))
		})
		tp.Listen(second.take)
		var outcome error
		done := make(chan struct{})
		_, err := topic(t, a, "news").Post(t.Context(), a.View().Members, []byte("x"), Sync, func(_ message.ID, err error) {
			outcome = err
			close(done)
		})
		if err != nil {
			t.Fatal(err)
		}
		<-done
		if outcome == nil || !strings.Contains(outcome.Error(), "first fails") {
			t.Errorf("outcome %v, want the first listener's error", outcome)
		}
		if first.String() != "x" || second.String() != "x" {
			t.Errorf("listeners got %q and %q, want x and x", &first, &second)
		}
	})
}

// A listener that panics takes the message from no other one of its topic.
func TestTopicListenerPanics(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		var first, last inbox
		tp := topic(t, b, "news")
		tp.Listen(func(ctx context.Context, m *message.Message) error {
			return errors.Join(first.take(ctx, m), errors.New("first fails"))
		})
		tp.Listen(func(context.Context, *message.Message) error { panic("oops") })
		tp.Listen(last.take)
		_, err := topic(t, a, "news").SendAll(t.Context(), []byte("x"), Sync)
		var remote *RemoteError
		if !errors.As(err, &remote) || !strings.Contains(remote.Reason, "oops") {
			t.Errorf("SendAll = %v, want a refusal with the panic", err)
		}
		if first.String() != "x" || last.String() != "x" || b.Stats().Panics != 1 {
			t.Errorf("listeners got %q and %q, want x and x; %+v", &first, &last, b.Stats())
		}
	})
}

func TestTopicNames(t *testing.T) {
	g, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", strings.Repeat("x", MaxTopicName+1)} {
		if _, err := g.Topic(name); err == nil {
			t.Errorf("Topic of %d bytes: no error", len(name))
		}
	}
	long := strings.Repeat("x", MaxTopicName)
	one, two := topic(t, g, long), topic(t, g, long)
	if one != two || one.Name() != long {
		t.Errorf("Topic gave different topics for one name")
	}
	g.Close()
}

func TestHeadersThatAreNone(t *testing.T) {
	var pool message.Pool
	for _, text := range []string{"", "\xd7GoTopc", topicMagic, topicMagic + "\x00abc", topicMagic + "\x05abcd", "hello"} {
		m := pool.New(len(text))
		copy(m.Payload(), text)
		m.Options = message.ByteMessage
		if name, _, ok := topicOf(m); ok {
			t.Errorf("topicOf(%q) = %q, want none", text, name)
		}
		m.Release()
	}
}

// Each problem has a line that names the field and what it may be.
func TestNewReportsAllProblems(t *testing.T) {
	layer := new(interceptor.Throughput)
	_, err := New(
		WithName("two\nlines"),
		WithPayload(make([]byte, membership.MaxPart+1)),
		WithReceiver(nio.ReceiverConfig{Port: 65536, Advertise: "0.0.0.0"}),
		WithSender(nio.SenderConfig{MaxFrame: 1, Retries: 101}),
		WithMulticast(mcast.Config{Port: -1, DropTime: time.Second}),
		WithStatic(static.Config{Ping: -1, Members: []static.Peer{{Addr: "a b:1"}}}),
		WithInterceptors(&interceptor.Dispatch{WhenFull: 9}, layer, layer, nil),
		WithStopTimeout(-1),
	)
	if err == nil {
		t.Fatal("New took everything that is wrong")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		`Name "two\nlines": want at most 255 bytes`, "Local: tribes: member: payload of 61441 bytes: want at most 61440",
		"Port 65536: want 1 to 65535", `Advertise "0.0.0.0": want an address that others can reach`,
		"MaxFrame 1: want 1024 to", "Retries 101: want at most 100",
		"Port -1: want 1 to 65535", "DropTime 1s: want at least three times Frequency",
		"Ping -1ns: want at least 1ms", `Members[0] "a b:1": host "a b": want`,
		"WhenFull 9: want Block, Refuse or Fail", "Interceptors: one Throughput is listed twice, want each once", "WithInterceptors: layer 3 is nil, want a layer",
		"StopTimeout -1ns: want a positive duration",
	} {
		n := 0
		for _, line := range lines {
			if strings.Contains(line, want) && strings.HasPrefix(line, "tribes: ") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d lines with %q, want 1:\n%v", n, want, err)
		}
	}
}

func TestDefaultLayers(t *testing.T) {
	tests := []struct {
		name string
		s    Settings
		want string
	}{
		{"no options", Settings{}, "Dispatch TCPFailureDetector"},
		{"with a domain", Settings{Domain: "blue"}, "Dispatch DomainFilter TCPFailureDetector"},
		{"replaced", Settings{Domain: "blue", Interceptors: []channel.Interceptor{new(interceptor.Gzip)}}, "Gzip"},
		{"bare", Settings{Interceptors: []channel.Interceptor{}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var names []string
			for _, l := range tt.s.layers() {
				names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", l), "*interceptor."))
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("layers = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDomainsDoNotMix(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		a := open(t, net, "a", WithDomain("blue"))
		b := open(t, net, "b", WithDomain("blue"))
		c := open(t, net, "c", WithDomain("red"))
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // of virtual time: whatever else could be seen is seen
		if a.View().Len() != 1 || a.View().Members[0].Key() != b.Local().Key() || c.View().Len() != 0 {
			t.Errorf("a sees %v, c sees %v; want a to see b alone and c nobody", a.View().Members, c.View().Members)
		}
	})
}

func TestOptionsReachTheMember(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		id := membership.NewID()
		stamp := time.UnixMilli(1234567890123)
		a := open(t, net, "a", WithName("x"), WithDomain("d"), WithPayload([]byte("p")), WithID(id),
			WithClock(func() time.Time { return stamp }))
		b := open(t, net, "b", WithDomain("d"))
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		got := make(chan *message.Message, 1)
		b.Listen(ListenerFunc(func(_ context.Context, m *message.Message) error {
			got <- m.Clone()
			return nil
		}))
		if _, err := a.SendAll(t.Context(), nil, Sync); err != nil {
			t.Fatal(err)
		}
		m := <-got
		if !m.SentTime().Equal(stamp) || m.Source.ID() != id || m.Source.Payload() != "p" || m.Source.Domain() != "d" || a.Name() != "x" {
			t.Errorf("message of %v at %v, source payload %q domain %q, name %q", m.Source, m.SentTime(), m.Source.Payload(), m.Source.Domain(), a.Name())
		}
	})
}
