package channel_test

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// announcing is a layer that announces extensions.
type announcing struct {
	plain
	caps message.Caps
	host channel.Host
}

func (l *announcing) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	l.host = h
	h.Announce(l.caps)
	return below, nil
}

// What the layers announce reaches the receiver, and what the sender learns the
// layers.
func TestCaps(t *testing.T) {
	b := newBottom()
	cfg := b.config()
	one, two := &announcing{caps: 1}, &announcing{caps: 4}
	cfg.Interceptors = []channel.Interceptor{one, new(plain), two}
	start(t, cfg)
	if got := b.receiver.env.Caps; got != 5 {
		t.Errorf("the receiver is told of the extensions %#x, want 0x5", uint32(got))
	}
	if b.receiver.env.Learned != nil || b.sender.env.Learned == nil {
		t.Fatal("it is the sender that learns, and the receiver that does not")
	}
	a, z := named(t, "a"), named(t, "z")
	for _, step := range []message.Caps{0, 4, 4, 6, 0} {
		b.sender.env.Learned(a, step)
		for _, l := range []*announcing{one, two} {
			if got := l.host.Understands(a); got != step {
				t.Errorf("a member that has told %#x is known for %#x", uint32(step), uint32(got))
			}
			if got := l.host.Understands(z); got != 0 {
				t.Errorf("a member that has told nothing is known for %#x", uint32(got))
			}
		}
	}
}

// However many members tell, few are remembered, the last one among them.
func TestCapsAreBounded(t *testing.T) {
	b := newBottom()
	cfg := b.config()
	l := new(announcing)
	cfg.Interceptors = []channel.Interceptor{l}
	start(t, cfg)
	const many, most = 10_000, 4096
	members := make([]*membership.Member, many)
	for i := range members {
		m, err := named(t, "m").With(func(a *membership.Attributes) { a.Port, a.ID = i, membership.ID{1} })
		if err != nil {
			t.Fatal(err)
		}
		members[i] = m
		b.sender.env.Learned(m, 1)
		if l.host.Understands(m) != 1 {
			t.Fatalf("member %d is forgotten at once", i)
		}
	}
	known := 0
	for _, m := range members {
		known += int(l.host.Understands(m))
	}
	if known != most {
		t.Errorf("%d of %d members are remembered, want %d", known, many, most)
	}
}
