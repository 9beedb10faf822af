package interceptor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// boundary is a layer that does nothing but let messages appear where it stands.
type boundary struct {
	host  channel.Host
	above channel.Up
}

func (b *boundary) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	b.host = h
	return below, nil
}

func (b *boundary) BindUp(above channel.Up) channel.Up {
	b.above = above
	return above
}

// inject passes a message up that no layer below has seen.
func (b *boundary) inject(from *membership.Member, payload []byte, o message.Options) error {
	m := b.host.NewMessage(len(payload))
	defer m.Release()
	copy(m.Payload(), payload)
	m.Source, m.Options = from, o
	return b.above.Receive(context.Background(), m)
}

// guardedNode is a channel with layers of all kinds and a boundary below each.
type guardedNode struct {
	*channel.Channel
	encrypt    *Encrypt
	names      []string // of the layer above each boundary
	boundaries []*boundary

	mu        sync.Mutex
	delivered []string
	dropped   []string
}

func newGuardedNode(t *testing.T, nw *mem.Network, name string, e *Encrypt) *guardedNode {
	t.Helper()
	n := &guardedNode{encrypt: e}
	cfg := nw.Node(name).Config()
	top := new(boundary)
	cfg.Interceptors = []channel.Interceptor{top}
	n.names, n.boundaries = []string{"the application"}, []*boundary{top}
	for _, l := range []channel.Interceptor{new(Dispatch), new(Throughput), new(Gzip),
		&Order{Expire: 100 * time.Millisecond}, e, new(DomainFilter), new(TCPFailureDetector)} {
		b := new(boundary)
		cfg.Interceptors = append(cfg.Interceptors, l, b)
		n.names, n.boundaries = append(n.names, fmt.Sprintf("%T", l)), append(n.boundaries, b)
	}
	cfg.Trace = &channel.Trace{MessageDropped: func(layer string, _ *membership.Member, _ message.ID, reason string) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.dropped = append(n.dropped, layer+": "+reason)
	}}
	c, err := channel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Channel = c
	c.Listen(anything(func(m *message.Message) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.delivered = append(n.delivered, string(m.Payload()))
	}))
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return n
}

// anything is a listener that takes Java objects too.
type anything func(m *message.Message)

func (anything) Accept(*message.Message) bool { return true }
func (f anything) Receive(_ context.Context, m *message.Message) error {
	f(m)
	return nil
}

func (n *guardedNode) take() (delivered, dropped []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delivered, dropped = n.delivered, n.dropped
	n.delivered, n.dropped = nil, nil
	return delivered, dropped
}

// clearTexts are messages in the clear: as an application sends them, as each layer
// makes them, as Java objects are, and with every option.
func clearTexts(t *testing.T) map[string]struct {
	payload []byte
	options message.Options
} {
	type text = struct {
		payload []byte
		options message.Options
	}
	packed := members(t, []byte("clear text, compressed"))
	all := map[string]text{
		"nothing":    {nil, message.ByteMessage},
		"bytes":      {[]byte("clear text"), message.ByteMessage | message.Sync},
		"object":     {[]byte("\xac\xed\x00\x05t\x00\x05clear"), message.Sync},
		"gzip":       {packed, message.ByteMessage | message.Gzip},
		"numbered":   {numbered("clear text", 1), message.ByteMessage},
		"early":      {numbered("clear text", 7), message.ByteMessage},
		"both":       {numbered(string(packed), 2), message.ByteMessage | message.Gzip},
		"all zero":   {make([]byte, 100), message.ByteMessage},
		"all blocks": {make([]byte, 160), message.ByteMessage},
	}
	for bit := range 32 {
		o := message.Options(1) << bit
		all["option "+o.String()] = text{numbered("clear text", uint32(bit+20)), o | message.ByteMessage}
	}
	return all
}

// Clear text is let into the stack at every boundary between layers, in every shape.
// None of it reaches a listener, all of it is told of, and messages that were
// encrypted go on to arrive.
func TestClearTextIsNeverDelivered(t *testing.T) {
	for _, c := range []Cipher{AESGCM, AESCBC} {
		t.Run(c.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				nw := mem.NewNetwork(mem.Config{})
				key := testKey(t, 1)
				a := newGuardedNode(t, nw, "a", &Encrypt{Key: key, Cipher: c})
				b := newGuardedNode(t, nw, "b", &Encrypt{Key: key, Cipher: c})
				for _, n := range []*guardedNode{a, b} {
					if err := n.WaitMembers(context.Background(), 1); err != nil {
						t.Fatal(err)
					}
				}
				for i, boundary := range b.boundaries {
					b.attack(t, b.names[i], boundary, a.Local())
				}
				b.take()
				if _, err := a.SendAll(context.Background(), []byte("encrypted"), message.Sync); err != nil {
					t.Errorf("Send of an encrypted message = %v, want nil", err)
				}
				if got, dropped := b.take(); !cmp.Equal(got, []string{"encrypted"}) || len(dropped) != 0 {
					t.Errorf("after all that %q is delivered and %q dropped, want the encrypted message", got, dropped)
				}
			})
		})
	}
}

// attack lets all clear texts in below one layer.
func (n *guardedNode) attack(t *testing.T, above string, b *boundary, from *membership.Member) {
	t.Helper()
	for name, text := range clearTexts(t) {
		before := n.encrypt.Stats()
		err := b.inject(from, text.payload, text.options)
		synctest.Wait()
		time.Sleep(time.Second) // what Order has parked comes out
		synctest.Wait()
		got, dropped := n.take()
		if len(got) != 0 {
			t.Fatalf("%s, below %s: %q was delivered", name, above, got)
		}
		if len(dropped) == 0 {
			t.Errorf("%s, below %s: nothing was told of it", name, above)
		}
		after := n.encrypt.Stats()
		counted := after.Undecryptable + after.Unmarked - before.Undecryptable - before.Unmarked
		other := strings.HasPrefix(strings.Join(dropped, ""), "Order") || strings.HasPrefix(strings.Join(dropped, ""), "Gzip")
		if counted == 0 && !other {
			t.Errorf("%s, below %s: not counted; dropped %q", name, above, dropped)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "tribes: ") {
			t.Errorf("%s, below %s: %v", name, above, err)
		}
		if err == nil && above == "the application" {
			t.Errorf("%s, below %s: its sender is told that all is well", name, above)
		}
	}
}

// A node without the layer sends to one that has it: it is refused, and not counted
// as received; what it is sent it does not understand.
func TestNodesWithoutEncryptStayOutside(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		nw := mem.NewNetwork(mem.Config{})
		inside := newGuardedNode(t, nw, "inside", &Encrypt{Key: testKey(t, 1)})
		outside := newNode(t, nw, "outside")
		outside.await(t, 1)
		ctx := context.Background()
		for _, o := range []message.Options{0, message.UseAck, message.Sync, message.Async | message.Sync, message.Multicast} {
			_, err := outside.SendAll(ctx, []byte("clear text"), o)
			var remote *message.RemoteError
			if o.SyncAcked() != errors.As(err, &remote) {
				t.Errorf("%s: Send to a node with Encrypt = %v; want a refusal if it waits for one", o, err)
			}
			synctest.Wait()
		}
		if got, _ := inside.take(); len(got) != 0 || inside.Channel.Stats().Received != 0 {
			t.Errorf("%q was delivered, and %+v", got, inside.Channel.Stats())
		}
		if got := inside.encrypt.Stats(); got.Undecryptable != 5 || got.Unmarked != 0 {
			t.Errorf("Stats() = %+v, want 5 messages that cannot be decrypted", got)
		}
		if _, err := inside.SendAll(ctx, []byte("secret"), message.UseAck); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		outside.mu.Lock()
		defer outside.mu.Unlock()
		for text := range outside.received {
			if strings.Contains(text, "secret") {
				t.Errorf("a node without the key has got %q", text)
			}
		}
	})
}

// The mark belongs to one layer: that of another channel, or of another layer, is
// worth nothing.
func TestMarkOfAnotherLayerIsNone(t *testing.T) {
	mine, other := &Encrypt{Key: testKey(t, 1)}, &Encrypt{Key: testKey(t, 1)}
	h := newEncrypt(t, mine, new(recorder).config())
	newEncrypt(t, other, new(recorder).config())
	m := h.Message([]byte("x"), message.ByteMessage)
	defer m.Release()
	for _, set := range []func(*message.Message){func(*message.Message) {}, other.mark.Set, new(message.Mark).Set} {
		set(m)
		if err := mine.guard(m); !errors.Is(err, errUnmarked) {
			t.Errorf("guard = %v, want %v", err, errUnmarked)
		}
	}
	if mine.mark.Set(m); mine.guard(m) != nil {
		t.Error("the mark of the layer itself is not taken")
	}
}
