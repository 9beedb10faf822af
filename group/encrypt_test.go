package group

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/message"
)

// TestEncryptWithStatic has two members with a key and one without on a static list.
// Static membership talks by messages, which are encrypted like all others: who has no
// key is no member.
func TestEncryptWithStatic(t *testing.T) {
	key, err := interceptor.NewKey(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	encrypted := func() (*interceptor.Encrypt, Option) {
		e := &interceptor.Encrypt{Key: key}
		return e, WithInterceptors(new(interceptor.Dispatch), e, new(interceptor.TCPFailureDetector))
	}
	layerA, withA := encrypted()
	layerB, withB := encrypted()
	a := onLoopback(t, nil, withA)
	b := onLoopback(t, []*Group{a}, withB)
	got := make(chan string, 10)
	for _, g := range []*Group{a, b} {
		g.Listen(ListenerFunc(func(_ context.Context, m *message.Message) error {
			got <- string(m.Payload())
			return nil
		}))
		if err := g.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range []*Group{a, b} {
		if _, err := g.SendAll(t.Context(), []byte("secret"), Sync); err != nil {
			t.Errorf("Send = %v", err)
		}
		if text := <-got; text != "secret" {
			t.Errorf("delivered %q", text)
		}
	}

	outside := onLoopback(t, []*Group{a, b})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // ten questions
	defer cancel()
	if err := outside.WaitMembers(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a key WaitMembers = %v, want none", err)
	}
	_, err = outside.Send(t.Context(), []*Member{a.Local(), b.Local()}, []byte("clear text"), Sync)
	var remote *RemoteError
	if !errors.As(err, &remote) {
		t.Errorf("Send in the clear = %v, want a refusal", err)
	}
	for name, n := range map[string]int{"a": a.View().Len(), "b": b.View().Len()} {
		if n != 1 {
			t.Errorf("%s has %d other members, want the one with the key", name, n)
		}
	}
	if len(got) != 0 {
		t.Errorf("delivered %q", <-got)
	}
	for name, e := range map[string]*interceptor.Encrypt{"a": layerA, "b": layerB} {
		if s := e.Stats(); s.Undecryptable == 0 || s.Unmarked != 0 {
			t.Errorf("%s: Stats() = %+v, want messages that could not be decrypted", name, s)
		}
	}
}
