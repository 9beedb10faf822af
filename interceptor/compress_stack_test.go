package interceptor

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
	"github.com/gotribes/tribes/transport/nio"
)

// openChannel is a channel that is started and stopped with the test, and what has
// reached its application.
type openChannel struct {
	*channel.Channel
	got chan string
}

// open starts a channel.
func open(t *testing.T, cfg channel.Config) *openChannel {
	t.Helper()
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	o := &openChannel{c, make(chan string, 100)}
	c.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		o.got <- fmt.Sprintf("%s %s", m.Options, m.Payload())
		return nil
	}))
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("Stop = %v, want nil", err)
		}
	})
	return o
}

// tcpConfig is a channel over real sockets.
func tcpConfig(t *testing.T, s nio.SenderConfig, layers ...channel.Interceptor) channel.Config {
	t.Helper()
	sender, err := nio.NewSender(s)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := nio.NewReceiver(nio.ReceiverConfig{Address: "127.0.0.1", Port: nio.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	return channel.Config{Sender: sender, Receiver: receiver, Interceptors: layers}
}

// compressed says how many messages a layer has sent in which form.
func compressed(t *testing.T, c *Compress, packed, plain int) {
	t.Helper()
	if s := c.Stats().Sent; s.Compressed != uint64(packed) || s.Plain != uint64(plain) {
		t.Fatalf("%d messages were compressed and %d not, want %d and %d", s.Compressed, s.Plain, packed, plain)
	}
}

// Over real sockets a member learns from the first answer of another whether it may
// compress; one without the layer, and one that gives plain acks, are sent plain
// bytes for ever. Everything arrives as it was sent.
func TestCompressOverRealSockets(t *testing.T) {
	ours, theirs := new(Compress), &Compress{Codec: S2}
	down := make(chan *membership.Member, 100)
	cfg := tcpConfig(t, nio.SenderConfig{}, ours)
	cfg.Trace = &channel.Trace{LinkDown: func(to *membership.Member, _ error) { down <- to }}
	a := open(t, cfg)
	b := open(t, tcpConfig(t, nio.SenderConfig{}, theirs))
	without := open(t, tcpConfig(t, nio.SenderConfig{}))
	text := bytes.Repeat([]byte("text "), 1000)
	want := fmt.Sprintf("%s %s", message.ByteMessage|message.Sync, text)
	send := func(from *openChannel, to ...*openChannel) {
		t.Helper()
		var all []*membership.Member
		for _, o := range to {
			all = append(all, o.Local())
		}
		if _, err := from.Send(t.Context(), all, text, message.Sync); err != nil {
			t.Fatalf("Send = %v, want nil", err)
		}
		for _, o := range to {
			if got := <-o.got; got != want {
				t.Fatalf("a message arrived as another one of %d bytes, options and all", len(got))
			}
		}
	}
	send(a, b, without)
	compressed(t, ours, 0, 1)
	send(a, b, without)
	compressed(t, ours, 1, 2)
	send(a, b)
	compressed(t, ours, 2, 2)
	send(a, without)
	compressed(t, ours, 2, 3)
	send(b, a)
	send(b, a)
	compressed(t, theirs, 1, 1)
	send(without, a, b)
	send(without, a, b)
	if s := ours.Stats(); s.Received.Compressed != 1 || s.Received.Plain != 3 || s.Split != 1 || s.Dropped != 0 {
		t.Errorf("Stats() = %+v, want one compressed and three plain messages received", s)
	}

	restartedWithout(t, a, ours, down)

	careful := new(Compress)
	c := open(t, tcpConfig(t, nio.SenderConfig{Window: 1}, careful)) // as Tribes does
	for range 3 {
		send(c, b)
	}
	compressed(t, careful, 0, 3)
}

// restartedWithout: a member that comes back on its port and with its id, but without
// the layer, is sent nothing that it cannot read.
func restartedWithout(t *testing.T, a *openChannel, ours *Compress, down <-chan *membership.Member) {
	t.Helper()
	cfg := tcpConfig(t, nio.SenderConfig{}, new(Compress))
	cfg.Local.ID = membership.NewID()
	d := open(t, cfg)
	to := []*membership.Member{d.Local()}
	text := bytes.Repeat([]byte("text "), 1000)
	send := func(o *openChannel, packed uint64) {
		t.Helper()
		before := ours.Stats().Sent.Compressed
		if _, err := a.Send(t.Context(), to, text, message.Sync); err != nil {
			t.Fatal(err)
		}
		if got, want := <-o.got, fmt.Sprintf("%s %s", message.ByteMessage|message.Sync, text); got != want {
			t.Fatalf("a message arrived as another one of %d bytes", len(got))
		}
		if got := ours.Stats().Sent.Compressed - before; got != packed {
			t.Fatalf("%d messages were compressed, want %d", got, packed)
		}
	}
	send(d, 0)
	send(d, 1)
	if err := d.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	for m := range down {
		if m.Key() == to[0].Key() {
			break
		}
	}
	if got := ours.host.Understands(to[0]); got != 0 {
		t.Errorf("a member whose connection has ended is known for %x", got)
	}
	again := tcpConfig(t, nio.SenderConfig{})
	receiver, err := nio.NewReceiver(nio.ReceiverConfig{Address: "127.0.0.1", Port: to[0].Port(), PortTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	again.Receiver, again.Local.ID = receiver, to[0].ID()
	e := open(t, again)
	for range 3 {
		send(e, 0)
	}
}

// The same on a network in memory, where a message without UseAck teaches nothing.
func TestCompressOverMem(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{})
		config := func(name string, layers ...channel.Interceptor) channel.Config {
			cfg := nw.Node(name).Config()
			cfg.Interceptors = layers
			return cfg
		}
		ours := new(Compress)
		a, b, without := open(t, config("a", ours)), open(t, config("b", new(Compress))), open(t, config("c"))
		text := bytes.Repeat([]byte("text "), 1000)
		for _, step := range []struct {
			o             message.Options
			packed, plain int
		}{
			{0, 0, 1}, {message.UDP | message.UseAck, 0, 2}, {message.UDP, 0, 3}, {message.UseAck, 0, 4},
			{message.UseAck, 1, 5}, {0, 2, 6}, {message.UDP, 3, 7}, {message.Multicast, 3, 8},
		} {
			if _, err := a.Send(t.Context(), []*membership.Member{b.Local(), without.Local()}, text, step.o); err != nil {
				t.Fatalf("Send with %s = %v, want nil", step.o, err)
			}
			compressed(t, ours, step.packed, step.plain)
			want := fmt.Sprintf("%s %s", message.ByteMessage|step.o, text)
			for _, o := range []*openChannel{b, without} {
				if got := <-o.got; got != want {
					t.Fatalf("a message with %s arrived as another one of %d bytes", step.o, len(got))
				}
			}
		}
		if got := ours.host.Understands(b.Local()); got != allCaps {
			t.Errorf("a member that has answered is known for %x", got)
		}
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := ours.host.Understands(b.Local()); got != 0 {
			t.Errorf("a member that is gone is known for %x", got)
		}
	})
}

// All layers that change bytes, one on the other: what one member of ours sends to
// another arrives, small, encrypted and in order.
func TestCompressAboveOrderAboveEncrypt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{})
		key := testKey(t, 1)
		layers := func(name string) (channel.Config, *Compress, *Encrypt) {
			c, e := new(Compress), &Encrypt{Key: key}
			cfg := nw.Node(name).Config()
			cfg.Interceptors = []channel.Interceptor{new(Dispatch), c, new(Gzip), new(Order), e, new(TCPFailureDetector)}
			return cfg, c, e
		}
		cfgA, ca, _ := layers("a")
		cfgB, cb, eb := layers("b")
		a, b := open(t, cfgA), open(t, cfgB)
		if err := a.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		text := bytes.Repeat([]byte("text "), 1000)
		const count = 50
		for i := range count {
			if _, err := a.Send(t.Context(), []*membership.Member{b.Local()}, fmt.Appendf(nil, "%d %s", i, text), message.Sync); err != nil {
				t.Fatal(err)
			}
		}
		for i := range count {
			want := fmt.Sprintf("%s %d %s", message.ByteMessage|message.Sync, i, text)
			if got := <-b.got; got != want && i > 0 { // the first one is of Gzip, which leaves its option set
				t.Fatalf("message %d arrived as another one of %d bytes", i, len(got))
			}
		}
		compressed(t, ca, count-1, 1)
		if s, e := cb.Stats(), eb.Stats(); s.Received.Compressed != count-1 || e.Received != count || e.Undecryptable+e.Unmarked != 0 {
			t.Errorf("Stats() = %+v and %+v", s, e)
		}
	})
}
