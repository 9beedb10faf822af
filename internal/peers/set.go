package peers

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Topic carries messages to those that have the same thing; see group.Topic.
type Topic interface {
	// Send waits for the outcome; see group.Topic.Send.
	Send(ctx context.Context, to []*membership.Member, payload []byte, o message.Options) (message.ID, error)
	// Post tells done of the outcome; see group.Topic.Post.
	Post(ctx context.Context, to []*membership.Member, payload []byte, o message.Options, done func(message.ID, error)) (message.ID, error)
}

// Config is how a Set is set up. All but Timeout, Lacks, Resent, Idle and Moved are needed.
type Config struct {
	Topic   Topic
	Options message.Options         // with which changes are sent
	View    func() *membership.View // of the group
	// Go runs a function until the owner ends, and not at all from then on.
	Go     func(f func(ctx context.Context))
	Logger *slog.Logger
	// Strangers are the refusals of a member that does not know this one.
	Strangers []error

	Budget   time.Duration // how long members wait for each other while somebody waits for that
	Patience time.Duration // how long a peer may be silent before it is left out
	Stall    time.Duration // how long a greeting may take
	Discover time.Duration // how long a member that sees nobody looks for others at its start
	Timeout  time.Duration // how long it looks for one that gives everything; 0 is without end

	LeftOut *atomic.Uint64 // counts how often a peer was left out
	Refused *atomic.Uint64 // counts changes that peers have refused

	Lacks  error          // the refusal of a change by a peer that is to be sent it whole; see Content
	Resent *atomic.Uint64 // counts those changes; needed with Lacks

	// Idle is told when a peer has answered everything; nil if nobody needs to know.
	Idle func()
	// Moved is told when it is about to change which peers there are or what one counts as,
	// and when it has changed; nil if nobody needs to know. It is called with locks of the Set,
	// and must not use it.
	Moved func()
}

// Owner is what the owner of a Set does with peers.
type Owner[P any] struct {
	// New makes of a peer what the owner has of it.
	New func(p *Peer) P
	// Hello greets a member, of which this one has heard or not.
	Hello func(known bool, s State) []byte
	// Awaits reports whether a start waits for a member that is no peer: one that was greeted
	// or not yet, and of which it is known since a moment that it has the thing, so that it
	// should introduce itself; since is zero if it is not known.
	Awaits func(greeted bool, since time.Time) bool
	// Load gets everything from a peer; after one that has failed, the rest.
	Load func(ctx context.Context, p P) error
	// Ready is told when everything is here and the others know it.
	Ready func()
	// Late is told when Config.Timeout is over, and says whether the member is ready then.
	Late func() (ready bool)
	// Repair makes what a peer and this member have the same.
	Repair func(ctx context.Context, p P) error
	// Back is told of a peer that was silent and is not any more.
	Back func(p P)
}

// Embeds is what an owner has of a peer: a pointer to a struct that embeds a *Peer.
type Embeds interface {
	comparable
	base() *Peer
}

// core is what peers know of their Set.
type core struct {
	Config
	ctx   context.Context          // of the owner
	lines hush.Hush[membership.ID] // of the log
}

// Tell writes a line about a member to the log, unless there was the same a moment ago.
func (c *core) Tell(level slog.Level, text string, m *membership.Member, args ...any) {
	ok, skipped := c.lines.Allow(text, m.ID(), time.Now())
	if !ok {
		return
	}
	args = append([]any{"member", m}, args...)
	if skipped > 0 {
		args = append(args, "skipped", skipped)
	}
	c.Logger.Log(context.Background(), level, text, args...)
}

// moved tells the owner.
func (c *core) moved() {
	if c.Moved != nil {
		c.Moved()
	}
}

func (c *core) send(ctx context.Context, to *membership.Member, body []byte) error {
	_, err := c.Topic.Send(ctx, []*membership.Member{to}, body, message.Sync)
	return err
}

// Estranging reports whether err is the refusal of a member that is not, or not now, a peer
// that this one has introduced itself to.
func (c *core) Estranging(err error) bool {
	return slices.ContainsFunc(c.Strangers, func(e error) bool { return refusedWith(err, e) })
}

// Set are the peers of a member. Its methods can be called from any number of goroutines.
type Set[P Embeds] struct {
	core
	own   Owner[P]
	peers atomic.Pointer[[]P]

	mu sync.Mutex
	// The rest is guarded by mu.
	closed   bool
	self     membership.ID // set by Begin
	changed  chan struct{} // closed and replaced when something about peers changes
	state    State         // of this member
	turn     int           // of the next comparison
	meetings map[membership.ID]*meeting
	order    []membership.ID // in which members were first heard of, see ghost
}

// New returns an empty Set. ctx ends with the owner.
func New[P Embeds](ctx context.Context, c Config, o Owner[P]) *Set[P] {
	s := &Set[P]{own: o, changed: make(chan struct{}), meetings: make(map[membership.ID]*meeting)}
	s.Config, s.ctx = c, ctx
	s.peers.Store(new([]P))
	return s
}

// All returns the peers. The slice is not to be changed.
func (s *Set[P]) All() []P { return *s.peers.Load() }

// Get returns the peer that a member is, nil if it is none.
func (s *Set[P]) Get(node membership.ID) P {
	for _, p := range s.All() {
		if p.base().Node == node {
			return p
		}
	}
	var none P
	return none
}

// Count returns how many peers there are, and how many of them are current.
func (s *Set[P]) Count() (all, current int) {
	for _, p := range s.All() {
		all++
		if stands, _ := p.base().Is(); stands == Current {
			current++
		}
	}
	return all, current
}

// Begin says which member this one is. It comes before all that sends.
func (s *Set[P]) Begin(self membership.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.self = self
}

// Met notes how far a member says it is, which makes it a peer. It reports whether that is
// new, and else whether it has said so before. p is nil if the set is closed, or another member
// is at the address of this one by now.
func (s *Set[P]) Met(m *membership.Member, is State) (p P, isNew, again bool) {
	s.mu.Lock()
	p = s.Get(m.ID())
	var none P
	isNew = p == none
	if isNew && (s.closed || s.ghost(m)) {
		s.mu.Unlock()
		return none, false, false
	}
	if isNew {
		p = s.add(m, is)
	}
	s.mu.Unlock()
	again = p.base().heard(m, is)
	s.Notify()
	return p, isNew, again && !isNew
}

// add makes a peer of a member. The caller holds s.mu.
func (s *Set[P]) add(m *membership.Member, is State) P {
	b := s.newPeer(m, is)
	p := s.own.New(b)
	b.lost = func(m *membership.Member, why string) { s.lost(p, m, why) }
	s.put(append(slices.Clone(s.All()), p))
	return p
}

// put notes which peers there are. Who looks at them between the two calls of moved may see
// those of before. The caller holds s.mu.
func (s *Set[P]) put(all []P) {
	s.moved()
	s.peers.Store(&all)
	s.moved()
}

// Drop forgets a peer that has left, and gives up to meet it.
func (s *Set[P]) Drop(node membership.ID) {
	s.mu.Lock()
	delete(s.meetings, node)
	all := s.All()
	i := slices.IndexFunc(all, func(p P) bool { return p.base().Node == node })
	if i >= 0 {
		s.put(slices.Delete(slices.Clone(all), i, i+1))
	}
	s.mu.Unlock()
	if i >= 0 {
		all[i].base().leave()
	}
	s.Notify()
}

// MemberEvent implements channel.MembershipListener.
func (s *Set[P]) MemberEvent(_ context.Context, ev membership.Event) {
	switch ev.Kind {
	case membership.Joined:
		s.replace(ev.Member)
		s.Meet(ev.Member)
	case membership.Left, membership.Failed:
		s.Drop(ev.Member.ID())
		var none P
		for _, m := range s.View().Members {
			if m.AddrPort() == ev.Member.AddrPort() && s.Get(m.ID()) == none {
				s.Meet(m) // it may have been taken for a ghost
			}
		}
	}
}

// Changed returns a channel that is closed when something about peers changes.
func (s *Set[P]) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Notify wakes who waits for Changed.
func (s *Set[P]) Notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// State says how far this member is.
func (s *Set[P]) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Broadcast sends a message to each peer that answers, to all at the same time, and waits.
// It returns those that have not taken it.
func (s *Set[P]) Broadcast(ctx context.Context, body []byte) (failed []P) {
	return s.broadcast(ctx, func(*Peer) []byte { return body })
}

func (s *Set[P]) broadcast(ctx context.Context, body func(p *Peer) []byte) (failed []P) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, p := range s.All() {
		b := p.base()
		if !b.Answers() {
			continue
		}
		wg.Go(func() {
			if b.Send(ctx, body(b)) != nil {
				mu.Lock()
				failed = append(failed, p)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

// Close makes no more peers.
func (s *Set[P]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// Leave is the end of all peers, for the time after Close: what waits for them does not any
// more.
func (s *Set[P]) Leave() {
	for _, p := range s.All() {
		p.base().leave()
	}
}

func (s *Set[P]) inView(node membership.ID) bool {
	return slices.ContainsFunc(s.View().Members, func(m *membership.Member) bool { return m.ID() == node })
}
