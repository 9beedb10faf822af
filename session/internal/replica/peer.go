package replica

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/internal/table"
)

// standing says what a peer counts as.
type standing uint8

const (
	catching standing = iota // it gets changes, but nobody waits for it
	current                  // it has all sessions
	silent                   // it does not answer: it gets nothing
	left                     // it is no peer any more
)

// peer is another member that has the same manager.
type peer struct {
	e      *Engine
	node   record.Node
	asks   atomic.Int32 // questions that are being answered
	failed int          // state transfers; used by join alone

	mu sync.Mutex
	// The rest is guarded by mu.
	m       *membership.Member
	to      []*membership.Member // m alone
	hello   sessionwire.Hello    // the last that it said
	greeted time.Time            // when it was last answered what was no news
	stands  standing
	behind  bool            // it was silent and has not caught up
	mending bool            // a repair with it goes on
	ctx     context.Context // posts wait for room until it ends
	cancel  context.CancelFunc
	waiting map[*flight]bool // what it has not answered; true if that counts
	since   time.Time        // when it last answered, or was first asked
	timer   *time.Timer      // runs while something waits
}

func (e *Engine) newPeer(m *membership.Member, h *sessionwire.Hello) *peer {
	p := &peer{e: e, node: record.NodeOf(m.ID()), m: m, to: []*membership.Member{m}, hello: *h, waiting: make(map[*flight]bool), greeted: time.Now()}
	p.ctx, p.cancel = context.WithCancel(e.ctx)
	if h.State == sessionwire.Ready {
		p.stands = current
	}
	return p
}

// bodies are buffers of changes, which a topic copies.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// fly sends a message that changes a session to all peers.
func (e *Engine) fly(m sessionwire.Message, prev *flight) *flight {
	scratch := bodies.Get().(*[]byte)
	defer bodies.Put(scratch)
	*scratch = sessionwire.Append((*scratch)[:0], m)
	peers := *e.peers.Load()
	if prev != nil && prev.over() {
		prev = nil
	}
	f := newFlight(e.cfg.Wait, prev, len(peers)+1) // one more, until all is posted
	for _, p := range peers {
		if !p.post(f, *scratch) {
			f.settle(false, nil)
		}
	}
	f.settle(false, nil)
	return f
}

// post sends a change to the peer. It reports whether the outcome is to be waited for:
// then the flight is settled, once.
func (p *peer) post(f *flight, body []byte) bool {
	p.mu.Lock()
	if p.stands >= silent {
		p.mu.Unlock()
		return false
	}
	counts := p.stands == current
	if len(p.waiting) == 0 {
		p.watch()
	}
	p.waiting[f] = counts
	ctx, to := p.ctx, p.to
	p.mu.Unlock()

	opts := message.Sync
	if p.e.cfg.Wait == Written {
		opts = 0
	}
	_, err := p.e.topic.Post(ctx, to, body, opts, func(_ message.ID, err error) { p.answered(f, err) })
	if err != nil {
		p.answered(f, err)
	}
	return counts
}

// watch begins to look whether the peer answers. The caller holds p.mu.
func (p *peer) watch() {
	p.since = time.Now()
	if p.timer == nil {
		p.timer = time.AfterFunc(p.patience(), p.look)
	} else {
		p.timer.Reset(p.patience())
	}
}

// patience is how long the peer may be silent before it is left out. With None nobody
// waits for it, and what it would have to be given afterwards costs more.
func (p *peer) patience() time.Duration {
	if p.e.cfg.Wait == None {
		return max(p.e.cfg.Budget, p.e.cfg.Stall)
	}
	return p.e.cfg.Budget
}

// look is the timer: a peer that has answered nothing for so long is left out.
func (p *peer) look() {
	p.mu.Lock()
	rest := p.patience() - time.Since(p.since)
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
	idle := len(p.waiting) == 0
	p.mu.Unlock()
	if !waits {
		return // settled when the peer was left out
	}
	switch {
	case err == nil:
		p.settle(f, counts, true, nil)
	case refusal(err) && !estranged(err):
		p.e.n.rejected.Add(1)
		p.settle(f, counts, false, err)
	default:
		p.settle(f, counts, false, nil)
		p.leaveOut(err.Error())
	}
	if idle && p.e.draining.Load() {
		p.e.notify()
	}
}

// refusal reports whether the other side has read a message and does not take it.
func refusal(err error) bool {
	var r *message.RemoteError
	return errors.As(err, &r)
}

// estranged reports whether a refusal says that the other side is not, or not now, a peer
// that this node has introduced itself to.
func estranged(err error) bool {
	if !refusal(err) {
		return false
	}
	for _, e := range []error{group.ErrNoTopic, errStranger, table.ErrClosed} {
		if strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}

func (p *peer) settle(f *flight, counts, acked bool, refused error) {
	if counts {
		f.settle(acked, refused)
	}
}

// leaveOut makes the peer silent: what waits for it does not any more, and it is asked
// now and then whether it is back.
func (p *peer) leaveOut(why string) {
	p.mu.Lock()
	if p.stands >= silent {
		p.mu.Unlock()
		return
	}
	p.stands = silent
	m := p.m
	waiting := p.release()
	p.mu.Unlock()
	for f, counts := range waiting {
		p.settle(f, counts, false, nil)
	}
	p.e.n.leftOut.Add(1)
	p.e.tell(slog.LevelWarn, "session replica does not answer, requests do not wait for it", m, "cause", why)
	p.e.notify()
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	if !p.e.closed {
		p.e.spawn(p.recover)
	}
}

// release lets go of what waits. The caller holds p.mu and settles it.
func (p *peer) release() map[*flight]bool {
	p.cancel()
	if p.timer != nil {
		p.timer.Stop()
	}
	waiting := p.waiting
	p.waiting = make(map[*flight]bool)
	return waiting
}

// leave is the end of the peer.
func (p *peer) leave() {
	p.mu.Lock()
	p.stands = left
	waiting := p.release()
	p.mu.Unlock()
	for f, counts := range waiting {
		p.settle(f, counts, false, nil)
	}
}

func (p *peer) waits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// is returns what the peer counts as, and the last that it said of itself.
func (p *peer) is() (standing, sessionwire.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stands, p.hello.State
}

// recover asks a silent peer until it answers, and catches it up.
func (p *peer) recover(ctx context.Context) {
	pause := p.e.cfg.Budget / 2
	for {
		if s, _ := p.is(); s != silent {
			return
		}
		try, cancel := context.WithTimeout(ctx, p.e.cfg.Stall)
		h := p.e.introduction()
		err := p.send(try, h)
		if err == nil && p.comeBack() {
			p.e.correct(p.member(), h.State)
			err = p.e.repair(ctx, p)
			if err == nil && p.catchUp() {
				cancel()
				p.e.tell(slog.LevelInfo, "session replica is back", p.member())
				p.e.notify() // a start may wait for it
				return
			}
			p.silence()
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// comeBack gives a silent peer changes again.
func (p *peer) comeBack() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stands != silent {
		return false
	}
	p.stands, p.behind = catching, true
	p.ctx, p.cancel = context.WithCancel(p.e.ctx)
	return true
}

// silence makes a peer that could not catch up silent again.
func (p *peer) silence() {
	p.mu.Lock()
	var waiting map[*flight]bool
	if p.stands == catching {
		p.stands = silent
		waiting = p.release()
	}
	p.mu.Unlock()
	for f, counts := range waiting {
		p.settle(f, counts, false, nil)
	}
}

// catchUp makes a peer that has everything current, if it says that it is ready.
func (p *peer) catchUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stands != catching {
		return false
	}
	p.behind = false
	if p.hello.State == sessionwire.Ready {
		p.stands = current
	}
	return true
}

func (p *peer) member() *membership.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m
}

// send sends a message to the peer alone and waits until it has processed it.
func (p *peer) send(ctx context.Context, m sessionwire.Message) error {
	return p.e.sendTo(ctx, p.member(), m)
}

func (e *Engine) sendTo(ctx context.Context, to *membership.Member, m sessionwire.Message) error {
	_, err := e.topic.Send(ctx, []*membership.Member{to}, sessionwire.Append(nil, m), message.Sync)
	return err
}

// broadcast sends a message to all peers that answer, and waits.
func (e *Engine) broadcast(ctx context.Context, m sessionwire.Message) error {
	var to []*membership.Member
	for _, p := range *e.peers.Load() {
		if s, _ := p.is(); s < silent {
			to = append(to, p.member())
		}
	}
	if len(to) == 0 {
		return nil
	}
	_, err := e.topic.Send(ctx, to, sessionwire.Append(nil, m), message.Sync)
	if err != nil {
		e.cfg.Logger.Debug("session message did not reach all replicas", "kind", m.Kind(), "err", err)
	}
	return err
}

// notify wakes who waits for a change of the peers.
func (e *Engine) notify() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.changed)
	e.changed = make(chan struct{})
}

// peer returns the peer that a member is, nil if it is none.
func (e *Engine) peer(node record.Node) *peer {
	for _, p := range *e.peers.Load() {
		if p.node == node {
			return p
		}
	}
	return nil
}

// drop forgets a peer that has left.
func (e *Engine) drop(node record.Node) {
	e.mu.Lock()
	delete(e.meetings, node)
	all := *e.peers.Load()
	i := slices.IndexFunc(all, func(p *peer) bool { return p.node == node })
	if i < 0 {
		e.mu.Unlock()
		e.notify()
		return
	}
	p := all[i]
	rest := slices.Delete(slices.Clone(all), i, i+1)
	e.peers.Store(&rest)
	e.mu.Unlock()
	p.leave()
	e.notify()
}
