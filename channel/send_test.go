package channel_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

type sendFunc = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error

var errWay = errors.New("no way")

func members(t testing.TB, names ...string) []*membership.Member {
	t.Helper()
	all := make([]*membership.Member, len(names))
	for i, name := range names {
		all[i] = named(t, name)
	}
	return all
}

func TestSendOutcomes(t *testing.T) {
	remote := &message.RemoteError{Reason: "no"}
	type outcomes = []message.Outcome
	tests := []struct {
		name string
		send sendFunc
		want outcomes // nil: no error
		is   error
	}{
		{"acknowledged", func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
			r.SettleAll(to, message.Acknowledged, nil)
			return nil
		}, nil, nil},
		{"written and acknowledged, backwards", func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
			r.Settle(to[1], message.Written, nil)
			r.Settle(to[0], message.Acknowledged, nil)
			return nil
		}, nil, nil},
		{"nothing accepted", func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error {
			return errWay
		}, outcomes{message.NotSent, message.NotSent}, errWay},
		{"one refused", func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
			r.Settle(to[0], message.Acknowledged, nil)
			r.Settle(to[1], message.Refused, remote)
			return nil
		}, outcomes{message.Acknowledged, message.Refused}, remote},
		{"one timed out, later", func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
			go func() { // ends at once
				r.Settle(to[1], message.Acknowledged, nil)
				r.Settle(to[0], message.Unknown, message.ErrTimeout)
			}()
			return nil
		}, outcomes{message.Unknown, message.Acknowledged}, message.ErrTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBottom()
			b.sender.onSend = test.send
			c := start(t, b.config())
			to := members(t, "a", "b")
			id, err := c.Send(t.Context(), to, []byte("x"), message.UseAck)
			checkOutcomes(t, "Send", id, err, to, test.want, test.is)
		})
	}
}

func checkOutcomes(t *testing.T, call string, id message.ID, err error, to []*membership.Member, want []message.Outcome, is error) {
	t.Helper()
	if id == (message.ID{}) {
		t.Errorf("%s returned no id", call)
	}
	if want == nil {
		if err != nil {
			t.Errorf("%s() = %v, want no error", call, err)
		}
		return
	}
	var se *message.SendError
	if !errors.As(err, &se) || !errors.Is(err, is) {
		t.Errorf("%s() = %v, want a *message.SendError with %v", call, err, is)
		return
	}
	if se.ID != id {
		t.Errorf("%s: the error has the id %v, want %v", call, se.ID, id)
	}
	for i, r := range se.Results {
		if r.Member != to[i] || r.Outcome != want[i] || r.Outcome.OK() != (r.Err == nil) {
			t.Errorf("%s: result %d = %v, %v, %v, want %v, %v", call, i, r.Member, r.Outcome, r.Err, to[i], want[i])
		}
	}
}

// What a layer or a sender sees of a message.
func TestSendMessage(t *testing.T) {
	b := newBottom()
	now := time.UnixMilli(42)
	var got *message.Message
	b.sender.onSend = func(_ context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		got = m.Clone()
		r.SettleAll(to, message.Written, nil)
		return nil
	}
	cfg := b.config()
	cfg.Clock = func() time.Time { return now }
	c := start(t, cfg)
	payload := []byte("hello")
	id, err := c.Send(t.Context(), members(t, "a"), payload, message.Async|message.NumberedAcks)
	if err != nil {
		t.Fatal(err)
	}
	copy(payload, "later")
	if got.ID != id || got.Source != c.Local() || got.Sent != 42 || string(got.Payload()) != "hello" {
		t.Errorf("the sender got the id %v, the source %v, the time %d and %q", got.ID, got.Source, got.Sent, got.Payload())
	}
	if want := message.ByteMessage | message.Async; got.Options != want {
		t.Errorf("options = %v, want %v", got.Options, want)
	}
}

func TestSendToNobody(t *testing.T) {
	b := newBottom()
	c := start(t, b.config())
	if _, err := c.Send(t.Context(), nil, nil, 0); !errors.Is(err, channel.ErrNoMembers) {
		t.Errorf("Send() = %v, want %v", err, channel.ErrNoMembers)
	}
	if _, err := c.Post(t.Context(), nil, nil, 0, nil); !errors.Is(err, channel.ErrNoMembers) {
		t.Errorf("Post() = %v, want %v", err, channel.ErrNoMembers)
	}
	if _, err := c.SendAll(t.Context(), nil, 0); !errors.Is(err, channel.ErrNoMembers) {
		t.Errorf("SendAll() = %v, want %v", err, channel.ErrNoMembers)
	}
	b.membership.happen(membership.Joined, named(t, "a"))
	if _, err := c.SendAll(t.Context(), nil, 0); err != nil {
		t.Errorf("SendAll() = %v, want no error", err)
	}
}

// A context that ends while Send waits: who has an outcome keeps it, the others
// are unknown.
func TestSendContextEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		var late *message.Receipt
		b.sender.onSend = func(_ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
			r.Settle(to[1], message.Acknowledged, nil)
			late = r
			return nil
		}
		c := start(t, b.config())
		to := members(t, "a", "b")
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		id, err := c.Send(ctx, to, nil, message.UseAck)
		checkOutcomes(t, "Send", id, err, to, []message.Outcome{message.Unknown, message.Acknowledged}, cause)
		if !late.Abandoned() {
			t.Error("the receipt is not abandoned")
		}
		late.Settle(to[0], message.Acknowledged, nil) // and nobody is there to be surprised
		b.sender.onSend = nil
		if _, err := c.Send(t.Context(), to, nil, message.UseAck); err != nil {
			t.Errorf("the next Send() = %v", err)
		}
	})
}

// An outcome that is there counts more than a context that has ended.
func TestSendOutcomeBeforeContext(t *testing.T) {
	b := newBottom()
	c := start(t, b.config())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := c.Send(ctx, members(t, "a"), nil, message.UseAck); err != nil {
			t.Fatalf("Send() = %v, want the outcome", err)
		}
	}
}

func TestPost(t *testing.T) {
	b := newBottom()
	var receipts []*message.Receipt
	b.sender.onSend = func(_ context.Context, _ []*membership.Member, _ *message.Message, r *message.Receipt) error {
		receipts = append(receipts, r)
		return nil
	}
	c := start(t, b.config())
	to := members(t, "a", "b")
	type completion struct {
		id  message.ID
		err error
	}
	done := make(chan completion, 10)
	post := func() message.ID {
		t.Helper()
		id, err := c.Post(t.Context(), to, nil, message.UseAck, func(id message.ID, err error) { done <- completion{id, err} })
		if err != nil {
			t.Fatalf("Post: %v", err)
		}
		return id
	}
	first, second := post(), post()
	to[0], to[1] = nil, nil // Post keeps no slice of its caller
	dest := members(t, "a", "b")
	receipts[1].SettleAll(dest, message.Acknowledged, nil)
	receipts[0].Settle(dest[1], message.NotSent, errWay)
	receipts[0].Settle(dest[0], message.Acknowledged, nil)
	if got := <-done; got.id != second || got.err != nil {
		t.Errorf("first completion = %v, %v, want %v, nil", got.id, got.err, second)
	}
	got := <-done
	if got.id != first {
		t.Errorf("second completion = %v, want %v", got.id, first)
	}
	var se *message.SendError
	if !errors.As(got.err, &se) || !errors.Is(got.err, errWay) || se.Results[0].Outcome != message.Acknowledged {
		t.Errorf("error of the second completion = %v", got.err)
	}
}

// An error of Post is the only answer; a nil callback is legal.
func TestPostError(t *testing.T) {
	b := newBottom()
	b.sender.onSend = func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error { return errWay }
	c := start(t, b.config())
	_, err := c.Post(t.Context(), members(t, "a"), nil, 0, func(message.ID, error) { t.Error("done was called") })
	if !errors.Is(err, errWay) {
		t.Errorf("Post() = %v, want %v", err, errWay)
	}
	b.sender.onSend = nil
	if _, err := c.Post(t.Context(), members(t, "a"), nil, 0, nil); err != nil {
		t.Errorf("Post without a callback = %v", err)
	}
	stop(t, c)
	if got := c.Stats(); got.Sent != 1 || got.SendsFailed != 1 {
		t.Errorf("Stats() = %+v, want 1 sent and 1 failed", got)
	}
}

// Callbacks come one after the other; one that blocks delays the others and no
// message; Stop lets all of them run.
func TestPostCallbacks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBottom()
		c := start(t, b.config())
		release := make(chan struct{})
		inside, ran := 0, 0
		for range 100 {
			_, err := c.Post(t.Context(), members(t, "a"), nil, 0, func(message.ID, error) {
				if inside++; inside != 1 {
					t.Error("two callbacks at a time")
				}
				<-release
				inside--
				ran++
			})
			if err != nil {
				t.Fatalf("Post: %v", err)
			}
		}
		if _, err := c.Send(t.Context(), members(t, "a"), nil, 0); err != nil {
			t.Errorf("Send beside a callback that blocks: %v", err)
		}
		close(release)
		stop(t, c)
		if ran != 100 {
			t.Errorf("%d callbacks ran, want 100", ran)
		}
	})
}

// multicaster is a membership that can multicast.
type multicaster struct {
	*fakeMembership
	env channel.Env
	got []string
	err error
}

func (s *multicaster) Open(env channel.Env) { s.env = env }

func (s *multicaster) Broadcast(_ context.Context, m *message.Message) error {
	s.got = append(s.got, string(m.Payload()))
	return s.err
}

// both is a service that combines services, as membership.Union does.
type both struct{ membership.Service }

func (u both) Services() []membership.Service { return []membership.Service{u.Service} }

func TestMulticast(t *testing.T) {
	b := newBottom()
	m := &multicaster{fakeMembership: b.membership}
	tests := []struct {
		name    string
		service membership.Service
		err     error
		want    error
		got     []string
		options message.Options
	}{
		{"without", b.membership, nil, channel.ErrNoMulticast, nil, 0},
		{"with", m, nil, nil, []string{"x"}, 0},
		{"combined", both{m}, nil, nil, []string{"x"}, 0},
		{"failing", m, errWay, errWay, []string{"x"}, 0},
		{"secure", m, nil, channel.ErrNotSecure, nil, message.Secure},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m.got, m.err = nil, test.err
			cfg := b.config()
			cfg.Membership = test.service
			c := start(t, cfg)
			var want []message.Outcome
			if test.want != nil {
				want = []message.Outcome{message.NotSent, message.NotSent}
			}
			to := members(t, "a", "b")
			id, err := c.Send(t.Context(), to, []byte("x"), message.Multicast|test.options)
			checkOutcomes(t, "Send", id, err, to, want, test.want)
			if diff := cmp.Diff(test.got, m.got); diff != "" {
				t.Errorf("multicast (-want +got):\n%s", diff)
			}
		})
	}
}
