//go:build interop

package interop

import (
	"context"
	"fmt"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// TestForeignObjects lets Java send Java objects. Who takes all messages gets the stream as it is; who takes byte messages
// never sees it; the sender is told that it arrived, and bytes go on as before.
func TestForeignObjects(t *testing.T) {
	const text = "hello"
	stream := append([]byte{0xac, 0xed, 0x00, 0x05, 't', 0x00, byte(len(text))}, text...)
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			group := freeGroup(t)
			n := startNode(ctx, t, goConfig{Group: group})
			plain := make(chan string, 10)
			n.group.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
				plain <- string(m.Payload())
				return nil
			}))
			p := startPeer(ctx, t, v, peerConfig{Group: group})
			meet(ctx, t, n, p)
			for i, options := range []int{optSync, optAck, optSync} {
				e := p.call(ctx, fmt.Sprintf("sendobj %s %d %s", n.id, options, text), "sent", "sendFailed")
				if e.Name != "sent" || e.FailedAttempts != 0 {
					t.Errorf("an object with options %#x: %s after %d failed attempts, want sent at once", options, e.Name, e.FailedAttempts)
				}
				n.awaitReceived(ctx, i+1)
			}
			p.send(ctx, n.id, optSync, []byte("bytes"))
			got := n.recorder.from(p.id)
			if len(got) != 4 || got[3].sha256 != hashOf([]byte("bytes")) {
				t.Fatalf("received %v, want three objects and the bytes", got)
			}
			for _, r := range got[:3] {
				if r.sha256 != hashOf(stream) || r.options.Has(message.ByteMessage) {
					t.Errorf("an object came as %d bytes with options %s, want %x and not ByteMessage", r.length, r.options, stream)
				}
			}
			if first := <-plain; first != "bytes" || len(plain) != 0 {
				t.Errorf("a listener for bytes saw %q and %d more, want the bytes alone", first, len(plain))
			}
		})
	}
}
