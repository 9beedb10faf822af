package nio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// Sender takes messages to other members over TCP, and over UDP those with the
// option UDP. It implements channel.Sender and channel.Preparer; see the
// package's documentation for how its connections live. It serves one channel.
type Sender struct {
	cfg    SenderConfig
	env    channel.Env
	epoch  time.Time
	ctx    context.Context // ends when a stop cuts off what is left
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // goroutines of links and datagrams
	done   chan struct{}  // closed when the stop has ended

	state   atomic.Int32
	peers   atomic.Pointer[peerMap] // changed under mu, never in place
	mu      sync.Mutex
	members map[membership.Key]struct{} // who has joined; guarded by mu
}

// errAddress is why nothing is sent to a member that tells no usable address.
var errAddress = errors.New("no connection can be made to such an address")

// peerKey is what has a queue and links of its own: a member, and its secure port
// for what goes over TLS, 0 for what goes in the clear.
type peerKey struct {
	member membership.Key
	secure int
}

type peerMap map[peerKey]*peer

var (
	_ channel.Sender   = (*Sender)(nil)
	_ channel.Preparer = (*Sender)(nil)
)

// The states of a sender.
const (
	senderIdle int32 = iota
	senderRunning
	senderStopping
)

// NewSender checks cfg and returns a sender that is not started. The error
// joins everything that is wrong.
func NewSender(cfg SenderConfig) (*Sender, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg, done: make(chan struct{})}
	s.epoch = time.Now().Add(-time.Second) // so that no time is 0
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.peers.Store(new(peerMap))
	return s, nil
}

// Start makes the sender ready. It connects to nobody.
func (s *Sender) Start(_ context.Context, env channel.Env) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state.Load() {
	case senderRunning:
		return channel.ErrStarted
	case senderStopping:
		return channel.ErrClosed
	}
	s.env = env
	s.state.Store(senderRunning)
	return nil
}

// usable returns why the sender cannot be used, nil if it can.
func (s *Sender) usable() error {
	switch s.state.Load() {
	case senderIdle:
		return channel.ErrNotStarted
	case senderRunning:
		return nil
	}
	return channel.ErrClosed
}

// peer returns what is kept for m and the given secure port, which is made if
// need be.
func (s *Sender) peer(m *membership.Member, secure int) (*peer, error) {
	k := peerKey{m.Key(), secure}
	if p := (*s.peers.Load())[k]; p != nil {
		return p, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	old := *s.peers.Load()
	if p := old[k]; p != nil {
		return p, nil
	}
	if !m.Dialable() {
		return nil, fmt.Errorf("tribes: send: %s: %w", m, errAddress)
	}
	p := newPeer(s, m)
	p.secure = secure
	peers := make(peerMap, len(old)+1)
	maps.Copy(peers, old)
	s.dropStrangers(peers)
	peers[k] = p
	s.peers.Store(&peers)
	return p, nil
}

// known returns all peers.
func (s *Sender) known() peerMap { return *s.peers.Load() }

// Prepare connects to m early, if the configuration says so: to its secure port
// if both sides have TLS. It does not block. What is kept for who was prepared stays
// until Forget; of others that are sent to it is bounded (see the documentation of the
// package).
func (s *Sender) Prepare(m *membership.Member) {
	s.meet(m)
	if !s.cfg.Pool.Preconnect || s.usable() != nil {
		return
	}
	if p, err := s.peer(m, s.likelyPort(m)); err == nil {
		p.preconnect()
	}
}

// Forget closes the connections to m and drops what is kept for it. Messages
// that wait are settled with [ErrForgotten]: as not sent, or as unknown if they
// were written. It does not wait for that. A later Send to m begins anew.
func (s *Sender) Forget(m *membership.Member) {
	var gone []*peer
	s.mu.Lock()
	delete(s.members, m.Key())
	peers := maps.Clone(s.known())
	for k, p := range peers {
		if k.member == m.Key() {
			gone = append(gone, p)
			delete(peers, k)
		}
	}
	s.peers.Store(&peers)
	s.mu.Unlock()
	for _, p := range gone {
		p.close(ErrForgotten)
	}
}

// Stop takes no more messages and waits until those that were accepted are
// settled, or until ctx ends: then it settles the rest, as not sent or unknown,
// with channel.ErrClosed, and returns the cause of ctx. When it returns nothing
// of the sender runs any more.
func (s *Sender) Stop(ctx context.Context) error {
	s.mu.Lock()
	before := s.state.Swap(senderStopping)
	s.mu.Unlock()
	if before == senderStopping {
		<-s.done
		return nil
	}
	defer close(s.done)
	err := s.drain(ctx)
	for _, p := range s.known() {
		p.close(channel.ErrClosed)
	}
	s.cancel(channel.ErrClosed)
	s.wg.Wait()
	return err
}

// drain waits until no message is pending, or until ctx ends.
func (s *Sender) drain(ctx context.Context) error {
	var all []<-chan struct{}
	for _, p := range s.known() {
		all = append(all, p.drain())
	}
	for _, drained := range all {
		select {
		case <-drained:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// now is the time on the sender's clock, in nanoseconds; it is never 0.
func (s *Sender) now() int64 { return int64(time.Since(s.epoch)) }

// time turns a time of the sender's clock into one of the system's.
func (s *Sender) time(at int64) time.Time { return s.epoch.Add(time.Duration(at)) }

// after is d later than at, or never.
func after(at int64, d time.Duration) int64 {
	if int64(d) >= int64(never)-at {
		return int64(never)
	}
	return at + int64(d)
}
