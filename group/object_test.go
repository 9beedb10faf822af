package group

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/message"
)

// objectInbox takes what is no ByteMessage, which ListenerFunc does not.
type objectInbox struct {
	got  chan string
	fail error
}

func (o objectInbox) Accept(m *Message) bool { return !m.Options.Has(message.ByteMessage) }

func (o objectInbox) Receive(_ context.Context, m *Message) error {
	o.got <- string(m.Payload())
	return o.fail
}

// An object arrives as its bytes, at listeners for objects alone; a refusal is told.
func TestSendObject(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *Group) {
		objects := objectInbox{make(chan string, 2), errors.New("no such map")}
		b.Listen(ListenerFunc(func(context.Context, *Message) error {
			t.Error("a listener for bytes got an object")
			return nil
		}))
		defer b.Listen(objects)()
		const stream = "\xac\xed\x00\x05p"
		_, err := a.SendObject(t.Context(), a.View().Members, []byte(stream), Sync)
		var refused *RemoteError
		if !errors.As(err, &refused) || refused.Reason != objects.fail.Error() {
			t.Errorf("SendObject = %v, want the refusal", err)
		}
		if got := <-objects.got; got != stream {
			t.Errorf("got %q", got)
		}
		if _, err := a.SendObject(t.Context(), a.View().Members, []byte(stream), UseAck); err != nil {
			t.Errorf("SendObject with UseAck = %v", err)
		}
		if _, err := a.SendObject(t.Context(), nil, []byte(stream), Sync); !errors.Is(err, ErrNoMembers) {
			t.Errorf("SendObject to nobody = %v", err)
		}
		synctest.Wait()
	})
}
