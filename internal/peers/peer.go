package peers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// State says how far a member is. The numbers are those of greetings on the wire.
type State uint8

// The states.
const (
	Starting State = iota // it has asked nobody yet
	Loading               // it gets everything from another member
	Ready                 // it has everything and can give it to others
)

// Standing says what a peer counts as.
type Standing uint8

// The standings.
const (
	Catching Standing = iota // it gets changes, but nobody waits for it
	Current                  // it has everything
	Silent                   // it does not answer: it gets nothing
	Left                     // it is no peer any more
)

// Peer is another member that has the same thing. The owner of a Set embeds a *Peer in what
// it has of a peer itself. The methods can be called from any number of goroutines.
type Peer struct {
	Node membership.ID // its id

	set    *core
	lost   func(m *membership.Member, why string) // is told when it has become silent
	failed int                                    // state transfers; used by Join alone
	is     atomic.Uint32                          // stands and state, for those that do not wait for mu

	mu sync.Mutex
	// The rest is guarded by mu.
	m       *membership.Member
	to      []*membership.Member // m alone
	state   State                // the last that it said
	stands  Standing
	behind  bool            // it was silent and has not caught up
	mending bool            // a repair with it goes on
	unseen  bool            // the group did not know it at the last comparison
	ctx     context.Context // ends when it is silent or leaves
	cancel  context.CancelFunc
	waiting map[*Flight]wait // what it has not answered
	posted  uint64           // changes
	since   time.Time        // when it last answered, or was first asked
	checked time.Time        // when it was last in doubt
	timer   *time.Timer      // runs while something waits
}

func (c *core) newPeer(m *membership.Member, s State) *Peer {
	p := &Peer{set: c, Node: m.ID(), m: m, to: []*membership.Member{m}, state: s, waiting: make(map[*Flight]wait)}
	p.ctx, p.cancel = context.WithCancel(c.ctx)
	if s == Ready {
		p.stands = Current
	}
	p.show()
	return p
}

// base is what makes the type of an owner that embeds a *Peer fit for a Set.
func (p *Peer) base() *Peer { return p }

// heard notes how far the peer says it is. It reports whether it has said so before.
func (p *Peer) heard(m *membership.Member, s State) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	again = p.state == s
	p.m, p.to = m, []*membership.Member{m}
	if p.state != Ready { // else it is an older message, overtaken
		p.state = s
		p.show()
	}
	if p.stands == Catching && !p.behind && p.state == Ready {
		p.stand(Current)
	}
	return again
}

// stand notes what the peer counts as from now on. Who asks between the two calls of moved may
// be told what it counted as before. The caller holds p.mu.
func (p *Peer) stand(s Standing) {
	p.set.moved()
	p.stands = s
	p.show()
	p.set.moved()
}

// show makes known what stands and state are. The caller holds p.mu.
func (p *Peer) show() { p.is.Store(uint32(p.stands)<<8 | uint32(p.state)) }

// Is returns what the peer counts as, and the last that it said of itself. It takes no lock:
// the owner calls it under some of its own, which it may need when it is told of a change.
func (p *Peer) Is() (Standing, State) {
	is := p.is.Load()
	return Standing(is >> 8), State(is)
}

// Answers reports whether the peer gets changes.
func (p *Peer) Answers() bool {
	s, _ := p.Is()
	return s < Silent
}

// Member returns the member that the peer is.
func (p *Peer) Member() *membership.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m
}

// Life ends when the peer is silent or leaves.
func (p *Peer) Life() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ctx
}

// Waits returns how many changes the peer has not answered.
func (p *Peer) Waits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// Send sends a message to the peer alone and waits until it has processed it.
func (p *Peer) Send(ctx context.Context, body []byte) error {
	return p.set.send(ctx, p.Member(), body)
}

// Post sends a message that may be lost, if the peer answers. It does not wait.
func (p *Peer) Post(body []byte) error {
	p.mu.Lock()
	ctx, to, ok := p.ctx, p.to, p.stands < Silent
	p.mu.Unlock()
	if !ok {
		return nil
	}
	_, err := p.set.Topic.Post(ctx, to, body, message.UseAck, func(message.ID, error) {})
	return err
}

// post sends a change to the peer. It reports whether the outcome is to be waited for:
// then the flight is settled, once.
func (p *Peer) post(f *Flight, c Content) bool {
	p.mu.Lock()
	if p.stands >= Silent {
		p.mu.Unlock()
		return false
	}
	counts := p.stands == Current
	if len(p.waiting) == 0 {
		p.watch()
	}
	p.posted++
	p.waiting[f] = wait{p.posted, counts}
	ctx, to := p.ctx, p.to
	p.mu.Unlock()
	p.carry(ctx, to, f, c)
	return counts
}

// watch begins to look whether the peer answers. The caller holds p.mu.
func (p *Peer) watch() {
	p.since = time.Now()
	if p.timer == nil {
		p.timer = time.AfterFunc(p.set.Patience, p.look)
	} else {
		p.timer.Reset(p.set.Patience)
	}
}

// look is the timer: a peer that has answered nothing for so long is left out.
func (p *Peer) look() {
	p.mu.Lock()
	rest := p.set.Patience - time.Since(p.since)
	switch {
	case len(p.waiting) == 0 || p.stands >= Silent:
		p.mu.Unlock()
	case rest > 0:
		p.timer.Reset(rest)
		p.mu.Unlock()
	default:
		p.mu.Unlock()
		p.LeaveOut("no answer in time")
	}
}

// answered is told how a change has fared.
func (p *Peer) answered(f *Flight, err error) {
	p.mu.Lock()
	w, waits := p.waiting[f]
	delete(p.waiting, f)
	p.since = time.Now()
	idle := len(p.waiting) == 0
	p.mu.Unlock()
	if !waits {
		return // settled when the peer was left out
	}
	switch {
	case err == nil:
		settle(f, w.counts, true, nil)
	case Refusal(err) && !p.set.Estranging(err), errors.Is(err, message.ErrTooLarge): // no fault of the peer
		p.set.Refused.Add(1)
		settle(f, w.counts, false, err)
	default:
		settle(f, w.counts, false, nil)
		p.LeaveOut(err.Error())
	}
	if idle && p.set.Idle != nil {
		p.set.Idle()
	}
}

func settle(f *Flight, counts, acked bool, refused error) {
	if counts {
		f.settle(acked, refused)
	}
}
