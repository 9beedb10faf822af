package membershiptest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
)

// node is a Node under test with all that its service has told.
type node struct {
	Node
	s     *suite
	place int

	mu      sync.Mutex
	events  []membership.Event
	present map[membership.Key]*membership.Member // according to the events
	left    map[membership.Key]bool               // said goodbye
	view    *membership.View                      // as of the last event
	inside  bool                                  // a call of notify is running
	stopped bool                                  // Stop has returned
	changed chan struct{}                         // closed at the next event
	wrong   []string
}

// node makes a node and does not start it.
func (s *suite) node(place int) *node {
	s.Helper()
	return s.adopt(place, s.group.Node(place))
}

func (s *suite) adopt(place int, made Node) *node {
	s.Helper()
	if made.Local == nil || made.Service == nil {
		s.Fatal("membershiptest: a Node needs Local and Service")
	}
	n := &node{
		Node: made, s: s, place: place,
		present: make(map[membership.Key]*membership.Member),
		left:    make(map[membership.Key]bool),
		view:    new(membership.View),
		changed: make(chan struct{}),
	}
	s.nodes = append(s.nodes, n)
	return n
}

// start makes a node and starts it with both services.
func (s *suite) start(place int) *node {
	s.Helper()
	n := s.node(place)
	n.mustStart(true, true)
	return n
}

func (n *node) String() string { return fmt.Sprintf("node %d (%s)", n.place, n.Local) }

func (n *node) env(listen, announce bool) membership.Env {
	return membership.Env{
		Local:    n.Local,
		Notify:   n.notify,
		Listen:   listen,
		Announce: announce,
		Logger:   slog.New(slog.DiscardHandler),
	}
}

// mustStart starts the service with a context that ends right afterwards, as
// that bounds the start alone.
func (n *node) mustStart(listen, announce bool) {
	n.s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begin := time.Now()
	if err := n.Service.Start(ctx, n.env(listen, announce)); err != nil {
		n.s.Fatalf("%s: Start() = %v, want nil", n, err)
	}
	if took := time.Since(begin); took > n.s.group.StartWithin {
		n.s.Errorf("%s: Start took %v, want at most %v: it must not wait for others", n, took, n.s.group.StartWithin)
	}
	n.checkView(n.Service.View())
}

// stop stops the service; from then on every notify is a violation.
func (n *node) stop() {
	n.s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), n.s.group.Patience)
	defer cancel()
	if err := n.Service.Stop(ctx); err != nil {
		n.s.Errorf("%s: Stop() = %v, want nil", n, err)
	}
	n.silence()
	n.checkView(n.Service.View())
}

// silence says that from now on the service must not notify.
func (n *node) silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
	if n.inside {
		n.blame("a call of Notify was still running when the service had stopped")
	}
}

func (n *node) kill() {
	n.Kill()
	n.silence()
}

// notify takes an event from the service. It calls View, as the channel does as
// soon as it has an event.
func (n *node) notify(ev membership.Event) {
	n.enter(ev)
	v := n.Service.View()
	n.checkView(v)
	for range 10 {
		runtime.Gosched() // let a second call in, if there is one
	}
	n.leave(v)
}

func (n *node) enter(ev membership.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.inside {
		n.blame("Notify was called twice at a time")
	}
	if n.stopped {
		n.blame("Notify was called after the service had stopped")
	}
	n.inside = true
	n.apply(ev)
}

func (n *node) leave(v *membership.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.inside = false
	if v != nil {
		if v.Seq < n.view.Seq {
			n.blame(fmt.Sprintf("the view after Seq %d has Seq %d", n.view.Seq, v.Seq))
		}
		n.view = v
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// apply keeps ev and checks that it can follow those before it. It is called
// with mu held.
func (n *node) apply(ev membership.Event) {
	n.events = append(n.events, ev)
	if ev.Member == nil {
		n.blame(fmt.Sprintf("a %s event has no member", ev.Kind))
		return
	}
	if ev.At.IsZero() {
		n.blame(fmt.Sprintf("the %s event of %s has no time", ev.Kind, ev.Member))
	}
	k := ev.Member.Key()
	if k == n.Local.Key() {
		n.blame(fmt.Sprintf("a %s event is about the local member", ev.Kind))
	}
	known := n.present[k] != nil
	switch ev.Kind {
	case membership.Joined:
		if known {
			n.blame(fmt.Sprintf("%s joined twice", ev.Member))
		}
		if n.left[k] {
			n.blame(fmt.Sprintf("%s joined again after its goodbye", ev.Member))
		}
		n.present[k] = ev.Member
	case membership.Updated:
		if !known {
			n.blame(fmt.Sprintf("%s was updated before it joined", ev.Member))
		}
		n.present[k] = ev.Member
	case membership.Left, membership.Failed:
		if !known {
			n.blame(fmt.Sprintf("%s %s and was not there", ev.Member, ev.Kind))
		}
		delete(n.present, k)
		n.left[k] = ev.Kind == membership.Left
	default:
		n.blame(fmt.Sprintf("an event has the kind %d", ev.Kind))
	}
}

// checkView checks what is true of every view.
func (n *node) checkView(v *membership.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v == nil {
		n.blame("View() = nil")
		return
	}
	if v.Find(n.Local.Key()) != nil {
		n.blame("the view has the local member")
	}
	if !slices.IsSortedFunc(v.Members, membership.CompareAge) {
		n.blame("the view is not in the order of age")
	}
	if len(keysOf(v)) != v.Len() {
		n.blame("the view has a member twice")
	}
}

// blame notes a violation, each text once. It is called with mu held.
func (n *node) blame(text string) {
	if !slices.Contains(n.wrong, text) {
		n.wrong = append(n.wrong, text)
	}
}

func (n *node) violations() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.wrong)
}

func keysOf(v *membership.View) map[membership.Key]bool {
	keys := make(map[membership.Key]bool, v.Len())
	for _, m := range v.Members {
		keys[m.Key()] = true
	}
	return keys
}

// history is what a node was told so far.
type history struct {
	events  []membership.Event
	present map[membership.Key]*membership.Member
	view    *membership.View
}

// await waits until ok holds for what the node was told, at most for within.
func (n *node) await(within time.Duration, what string, ok func(h history) bool) {
	n.s.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		n.mu.Lock()
		h, changed := n.history(), n.changed
		n.mu.Unlock()
		if ok(h) {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			n.s.Fatalf("%s: %s not within %v; told so far: %s; view at the last event: %v",
				n, what, within, describe(h.events), h.view.Members)
		}
	}
}

// now is what the node was told so far.
func (n *node) now() history {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.history()
}

// history is called with mu held.
func (n *node) history() history {
	return history{slices.Clone(n.events), maps.Clone(n.present), n.view}
}

func describe(events []membership.Event) string {
	if len(events) == 0 {
		return "nothing"
	}
	var text []byte
	for _, ev := range events {
		text = fmt.Appendf(text, "[%s %s]", ev.Kind, ev.Member)
	}
	return string(text)
}

// awaitPeers waits until the node sees exactly the others, in its events and in
// the view that it had at the last of them.
func (n *node) awaitPeers(others ...*node) {
	n.s.Helper()
	n.await(n.s.group.Patience, fmt.Sprintf("a view of %v", others), func(h history) bool {
		keys := keysOf(h.view)
		if len(h.present) != len(others) || len(keys) != len(others) {
			return false
		}
		for _, o := range others {
			if h.present[o.Local.Key()] == nil || !keys[o.Local.Key()] {
				return false
			}
		}
		return true
	})
}

// awaitEvent waits for an event of that kind about m, at most for within, and
// returns it.
func (n *node) awaitEvent(within time.Duration, kind membership.Kind, k membership.Key) (found membership.Event) {
	n.s.Helper()
	n.await(within, fmt.Sprintf("%s of %v/%v", kind, k.Host, k.Port), func(h history) bool {
		for _, ev := range h.events {
			if ev.Kind == kind && ev.Member != nil && ev.Member.Key() == k {
				found = ev
				return true
			}
		}
		return false
	})
	return found
}

// saw reports whether the node was ever told of k.
func (h history) saw(k membership.Key) bool {
	return slices.ContainsFunc(h.events, func(ev membership.Event) bool {
		return ev.Member != nil && ev.Member.Key() == k
	})
}
