package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// visitor is the node's ear in one group: it turns what it hears into events.
type visitor struct {
	n *node
	g *group.Group

	gate  sync.Mutex // guards ready and held
	ready bool       // the started event was written
	held  []any      // events of before that
}

// started writes the started event, and behind it what was heard before.
func (v *visitor) started() {
	v.gate.Lock()
	defer v.gate.Unlock()
	m := v.g.Local()
	v.n.history.started(m)
	v.n.out.emit(startedEvent{v.n.at("started"), v.n.settings.Name, addr(m), m.ID().String(), os.Getpid()})
	for _, ev := range v.held {
		v.n.out.emit(ev)
	}
	v.ready, v.held = true, nil
}

// emit writes an event, but none before the started event.
func (v *visitor) emit(ev any) {
	v.gate.Lock()
	defer v.gate.Unlock()
	if !v.ready {
		v.held = append(v.held, ev)
		return
	}
	v.n.out.emit(ev)
}

// MemberEvent implements group.MembershipListener.
func (v *visitor) MemberEvent(_ context.Context, ev group.Event) {
	e := memberEvent{Member: addr(ev.Member), ID: ev.Member.ID().String(), Domain: ev.Member.Domain()}
	switch ev.Kind {
	case group.Joined:
		e.event = v.n.at("memberAdded")
		v.n.history.joined(ev.Member)
	case group.Left, group.Failed:
		shutdown := ev.Kind == group.Left
		e.event, e.Shutdown = v.n.at("memberDisappeared"), &shutdown
		v.n.history.gone(ev.Member, shutdown)
	default:
		return
	}
	v.emit(e)
}

// agreed is told of views on which the members have agreed.
func (v *visitor) agreed(view *membership.Agreed) {
	e := viewEvent{event: v.n.at("view"), ID: view.ID.String(), Term: view.Term(), Coordinator: addr(view.Coordinator())}
	for _, m := range view.Members {
		e.Members = append(e.Members, addr(m))
	}
	v.emit(e)
}

// Accept implements group.Listener: it wants everything, also what no node
// sends.
func (v *visitor) Accept(*group.Message) bool { return true }

// view is the id of the agreed view, if messages are to be told with theirs. Messages wait
// while one is installed, so it is that in which the message comes.
func (v *visitor) view() string {
	if agreed := v.g.Agreed(); agreed != nil && slices.Contains(v.n.settings.Stack, "views") {
		return agreed.ID.String()
	}
	return ""
}

var errAsked = errors.New("asked to fail")

// Receive implements group.Listener.
func (v *visitor) Receive(ctx context.Context, m *group.Message) error {
	n := v.n
	h, what := parsePayload(m.Payload())
	if !m.Options.Has(message.ByteMessage) {
		what = "not a byte message"
	}
	if what != "" {
		n.counts.odd.Add(1)
		v.emit(oddEvent{v.n.at("oddMessage"), addr(m.Source), what})
		return nil
	}
	n.counts.received.Add(1)
	from := addr(m.Source)
	n.streams.note(from, h.stream, h.seq)
	if !n.switches.on("quiet") {
		sum := sha256.Sum256(m.Payload())
		v.emit(messageEvent{v.n.at("message"), from, h.stream, h.seq, m.Len(), hex.EncodeToString(sum[:8]), v.view()})
	}
	n.switches.hold(ctx)
	if n.switches.on("recvThrow") {
		return errAsked
	}
	return nil
}

// switches are what set changes.
type switches struct {
	mu      sync.Mutex
	is      map[string]bool
	delay   time.Duration
	blocked chan struct{} // closed when recvBlock is set to 0; nil if it is 0
}

func (s *switches) set(name string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.is == nil {
		s.is = make(map[string]bool)
	}
	s.is[name] = on
	if name != "recvBlock" {
		return
	}
	if on && s.blocked == nil {
		s.blocked = make(chan struct{})
	}
	if !on && s.blocked != nil {
		close(s.blocked)
		s.blocked = nil
	}
}

// release lets blocked deliveries go.
func (s *switches) release() { s.set("recvBlock", false) }

func (s *switches) on(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.is[name]
}

func (s *switches) setDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// hold makes a delivery take as long as was asked for.
func (s *switches) hold(ctx context.Context) {
	s.mu.Lock()
	delay, blocked := s.delay, s.blocked
	s.mu.Unlock()
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if blocked != nil {
		select {
		case <-blocked:
		case <-ctx.Done():
		}
	}
}
