package replmap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// standing says what a peer counts as.
type standing uint8

const (
	catching  standing = iota // it gets changes, but nobody waits for it
	isCurrent                 // it has all entries
	silent                    // it does not answer: it gets nothing
	hasLeft                   // it is no peer any more
)

// peer is another member that has the map.
type peer struct {
	n    *native
	node membership.ID

	mu sync.Mutex
	// The rest is guarded by mu.
	m       *membership.Member
	state   mapwire.State // the last that it said
	speaks  uint8         // the highest version of the protocol
	stands  standing
	behind  bool            // it was silent and has not caught up
	mending bool            // a repair with it goes on
	unseen  bool            // the group did not know it at the last comparison
	ctx     context.Context // ends when it is silent or leaves
	cancel  context.CancelFunc
	waiting map[*flight]bool // what it has not answered; true if that counts
	since   time.Time        // when it last answered, or was first asked
	checked time.Time        // when it was last in doubt
	timer   *time.Timer      // runs while something waits
}

func (n *native) newPeer(m *membership.Member, h *mapwire.Hello) *peer {
	p := &peer{n: n, node: m.ID(), m: m, state: h.State, speaks: h.MaxVersion, waiting: make(map[*flight]bool)}
	p.ctx, p.cancel = context.WithCancel(n.ctx)
	if h.State == mapwire.Ready {
		p.stands = isCurrent
	}
	return p
}

// heard notes how far the peer says it is.
func (p *peer) heard(m *membership.Member, h *mapwire.Hello) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m, p.speaks = m, h.MaxVersion
	if p.state != mapwire.Ready { // else it is an older message, overtaken
		p.state = h.State
	}
	if p.stands == catching && !p.behind && p.state == mapwire.Ready {
		p.stand(isCurrent)
	}
}

// doubted reports whether it is time to see whether the peer lives.
func (p *peer) doubted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.checked) >= p.n.budget/2 {
		p.checked = now
		return true
	}
	return false
}

// stand notes what the peer counts as from now on. The caller holds p.mu.
func (p *peer) stand(s standing) {
	p.n.moved()
	p.stands = s
}

// post sends a change to the peer. It reports whether the outcome is to be waited for:
// then the flight is settled, once. If whole is not nil, body has a difference, and whole
// returns the same without one.
func (p *peer) post(f *flight, body []byte, whole func() []byte) bool {
	p.mu.Lock()
	if p.stands >= silent {
		p.mu.Unlock()
		return false
	}
	counts := p.stands == isCurrent
	if len(p.waiting) == 0 {
		p.watch()
	}
	p.waiting[f] = counts
	ctx, to := p.ctx, p.m
	p.mu.Unlock()
	p.carry(ctx, to, f, body, whole)
	return counts
}

// watch begins to look whether the peer answers. The caller holds p.mu.
func (p *peer) watch() {
	p.since = time.Now()
	if p.timer == nil {
		p.timer = time.AfterFunc(p.n.budget, p.look)
	} else {
		p.timer.Reset(p.n.budget)
	}
}

// look is the timer: a peer that has answered nothing for the budget is left out.
func (p *peer) look() {
	p.mu.Lock()
	rest := p.n.budget - time.Since(p.since)
	switch {
	case len(p.waiting) == 0 || p.stands >= silent:
		p.mu.Unlock()
	case rest > 0:
		p.timer.Reset(rest)
		p.mu.Unlock()
	default:
		p.mu.Unlock()
		p.leaveOut("no answer in time")
	}
}

// answered is told how a change has fared.
func (p *peer) answered(f *flight, err error) {
	p.mu.Lock()
	counts, waits := p.waiting[f]
	delete(p.waiting, f)
	p.since = time.Now()
	p.mu.Unlock()
	if !waits {
		return // settled when the peer was left out
	}
	var refused *message.RemoteError
	switch {
	case err == nil:
		p.settle(f, counts, true, nil)
	case errors.As(err, &refused) && !estranged(refused):
		p.n.n.rejected.Add(1)
		p.settle(f, counts, false, err)
	default:
		p.settle(f, counts, false, nil)
		p.leaveOut(err.Error())
	}
}

func (p *peer) settle(f *flight, counts, acked bool, refused error) {
	if counts {
		f.settle(acked, refused)
	}
}

// estranged reports whether the refusal says that the other side is not, or not now, a
// peer that this member has introduced itself to.
func estranged(err *message.RemoteError) bool {
	for _, e := range []error{group.ErrNoTopic, errStranger, ErrClosed} {
		if strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}

// leaveOut makes the peer silent: what waits for it does not any more, and it is asked
// now and then whether it is back.
func (p *peer) leaveOut(why string) {
	p.mu.Lock()
	if p.stands >= silent {
		p.mu.Unlock()
		return
	}
	p.stand(silent)
	m := p.m
	waiting := p.release()
	p.mu.Unlock()
	p.let(waiting)
	p.n.n.leftOut.Add(1)
	p.n.log.Warn("member does not answer, writes do not wait for it", "member", m, "cause", why)
	p.n.notify()
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	if !p.n.closed {
		p.n.spawn(p.recover)
	}
}

// release lets go of what waits. The caller holds p.mu and settles it with let.
func (p *peer) release() map[*flight]bool {
	p.cancel()
	if p.timer != nil {
		p.timer.Stop()
	}
	waiting := p.waiting
	p.waiting = make(map[*flight]bool)
	return waiting
}

func (p *peer) let(waiting map[*flight]bool) {
	for f, counts := range waiting {
		p.settle(f, counts, false, nil)
	}
}

// leave is the end of the peer.
func (p *peer) leave() {
	p.mu.Lock()
	p.stand(hasLeft)
	waiting := p.release()
	p.mu.Unlock()
	p.let(waiting)
}

// is returns what the peer counts as, and the last that it said of itself.
func (p *peer) is() (standing, mapwire.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stands, p.state
}

func (p *peer) member() *membership.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m
}

// life ends when the peer is silent or leaves.
func (p *peer) life() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ctx
}

// recover asks a silent peer until it answers, and catches it up. One that the group does
// not know is given up at last.
func (p *peer) recover(ctx context.Context) {
	pause := p.n.budget / 2
	for tries := 0; ; tries++ {
		if s, _ := p.is(); s != silent {
			return
		}
		if _, err := p.n.greet(ctx, p.member()); err == nil && p.comeBack() {
			if p.n.repairWith(ctx, p) == nil && p.catchUp() {
				p.n.log.Info("member is back", "member", p.member())
				p.n.meet(p.member()) // what it was told may be old by now
				p.n.notify()
				return
			}
			p.hush()
		}
		if tries > maxTries && !p.n.inView(p.node) { // another may answer at its address
			p.n.drop(p.node)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// How often and how often at least a member is greeted that does not answer.
const (
	maxTries   = 10
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
)

// comeBack gives a silent peer changes again.
func (p *peer) comeBack() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stands != silent {
		return false
	}
	p.stands, p.behind = catching, true
	p.ctx, p.cancel = context.WithCancel(p.n.ctx)
	return true
}

// hush makes a peer that could not catch up silent again.
func (p *peer) hush() {
	p.mu.Lock()
	var waiting map[*flight]bool
	if p.stands == catching {
		p.stands = silent
		waiting = p.release()
	}
	p.mu.Unlock()
	p.let(waiting)
}

// catchUp makes a peer that has everything current, if it says that it is ready.
func (p *peer) catchUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stands != catching {
		return false
	}
	p.behind = false
	if p.state == mapwire.Ready {
		p.stand(isCurrent)
	}
	return true
}

// drop forgets a peer that has left.
func (n *native) drop(node membership.ID) {
	n.mu.Lock()
	delete(n.meetings, node)
	all := *n.peers.Load()
	i := slices.IndexFunc(all, func(p *peer) bool { return p.node == node })
	if i >= 0 {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		n.moved()
		n.peers.Store(&rest)
	}
	n.mu.Unlock()
	if i >= 0 {
		all[i].leave()
	}
	n.notify()
}

// send sends a message to the peer alone and waits until it has processed it.
func (p *peer) send(ctx context.Context, m mapwire.Message) error {
	return p.n.sendTo(ctx, p.member(), m)
}

func (n *native) sendTo(ctx context.Context, to *membership.Member, m mapwire.Message) error {
	_, err := n.topic.Send(ctx, []*membership.Member{to}, mapwire.Append(nil, m), message.Sync)
	return err
}

// broadcast sends a message to each peer that answers, to all at the same time, and waits.
// It returns those that have not taken it.
func (n *native) broadcast(ctx context.Context, m func(*peer) mapwire.Message) (failed []*peer) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, p := range *n.peers.Load() {
		if s, _ := p.is(); s >= silent {
			continue
		}
		wg.Go(func() {
			if p.send(ctx, m(p)) != nil {
				mu.Lock()
				failed = append(failed, p)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}
