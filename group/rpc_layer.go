package group

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// rpc is the layer of remote calls, the topmost but for that of WithTLS. It keeps
// their messages, which hold Java objects, from the application. A call that nobody
// here serves is answered too: the caller, and a Java node above all, would wait for
// its whole timeout (docs/wire.md, RPC).
type rpc struct {
	cfg        RPCConfig
	stuckAfter time.Duration   // not positive: never
	secure     message.Options // Secure if nothing may travel in the clear

	host    channel.Host
	send    channel.SendFunc
	view    channel.ViewFunc
	admit   func(m *message.Message) error // asks the guards of the channel
	watch   rpcWatch
	waiting waiting
	jobs    jobs
	refused aside // answers of refusal
	told    aside // calls of HandleLate's functions
	posts   sync.Pool
	counts  rpcCounts
	state   atomic.Int32
	ended   chan struct{} // closed when no call may wait any more

	mu   sync.RWMutex
	rpcs map[string]*RPC
}

// The states of the layer.
const (
	rpcIdle int32 = iota
	rpcOpen
	rpcClosed
)

func newRPC(cfg RPCConfig, secure bool, stuckAfter time.Duration) *rpc {
	cfg = cfg.withDefaults()
	l := &rpc{cfg: cfg, stuckAfter: cmp.Or(stuckAfter, defaultStuckAfter), ended: make(chan struct{}), rpcs: make(map[string]*RPC)}
	if secure {
		l.secure = message.Secure
	}
	l.waiting = waiting{max: cfg.MaxCalls, calls: make(map[message.ID]*call)}
	l.jobs = jobs{all: make(map[*job]struct{}), idle: make(chan struct{})}
	l.refused.l, l.told.l = l, l
	return l
}

// named returns the RPC of that id, which is made if need be.
func (l *rpc) named(g *Group, id string) *RPC {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rpcs[id]
	if r == nil {
		r = &RPC{g: g, id: id}
		l.rpcs[id] = r
	}
	return r
}

// find returns the RPC of that id, nil if nobody here knows it.
func (l *rpc) find(id []byte) *RPC {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.rpcs[string(id)]
}

// BindDown implements channel.Interceptor.
func (l *rpc) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	l.host, l.send, l.view = h, below.Send, below.View
	l.admit = func(*message.Message) error { return nil }
	if g, ok := h.(interface{ Admit(*message.Message) error }); ok {
		l.admit = g.Admit
	}
	l.watch = newRPCWatch(h.Logger(), l.cfg.Trace)
	h.OnStart(func(context.Context) error {
		l.state.Store(rpcOpen)
		return nil
	})
	h.OnDrain(l.drain)
	if l.stuckAfter > 0 {
		h.Every(max(l.stuckAfter/4, time.Millisecond), func(context.Context) { l.nameStuck() })
	}
	return below, l.cfg.check()
}

// BindUp implements channel.Interceptor.
func (l *rpc) BindUp(above channel.Up) channel.Up {
	receive, event := above.Receive, above.Event
	above.Receive = func(ctx context.Context, m *message.Message) error {
		if m.Options.Has(message.ByteMessage) || !javaser.IsRPC(m.Payload()) {
			return receive(ctx, m)
		}
		if err := l.admit(m); err != nil {
			return err
		}
		return l.receive(m)
	}
	above.Event = func(ev membership.Event) {
		l.event(ev)
		event(ev)
	}
	return above
}

// drain lets the requests that are here be answered, and ends the calls that wait.
func (l *rpc) drain(ctx context.Context) {
	l.state.Store(rpcClosed)
	select {
	case <-l.jobs.drain():
	case <-ctx.Done():
	}
	close(l.ended)
}

// defaultStuckAfter is that of channel.Config.
const defaultStuckAfter = 10 * time.Second

// nameStuck tells once of each request on which a handler works for too long.
func (l *rpc) nameStuck() {
	for _, j := range l.jobs.late(time.Now().Add(-l.stuckAfter)) {
		l.host.Logger().Warn("a handler does not return", "rpc", j.id, "member", j.req.From, "limit", l.stuckAfter)
	}
}

// callable returns why no call can be made, nil if one can.
func (l *rpc) callable(g *Group, destinations int, mode Mode) error {
	switch l.state.Load() {
	case rpcIdle:
		select {
		case <-g.Done():
			return ErrClosed
		default:
			return ErrNotStarted
		}
	case rpcClosed:
		return ErrClosed
	}
	switch {
	case destinations == 0:
		return ErrNoMembers
	case mode.want(destinations) > destinations:
		return ErrTooFewMembers
	case mode < NoReply:
		return errMode
	}
	return nil
}

// event ends what waits for a member that is gone, or works for it.
func (l *rpc) event(ev membership.Event) {
	var o CallOutcome
	switch ev.Kind {
	case membership.Left:
		o = CallLeft
	case membership.Failed:
		o = CallFailed
	default:
		return
	}
	l.waiting.gone(ev.Member.Key(), o)
	l.jobs.gone(ev.Member.Key(), departed(o))
}

// receive takes a remote call or a reply. It does not block.
func (l *rpc) receive(m *message.Message) error {
	call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
	if err != nil {
		l.drop(m, "undecodable remote call")
		return err
	}
	if len(call.UUID) > maxForeignID || len(call.ID) > maxForeignID {
		l.drop(m, "remote call with a long id") // which an answer would repeat
		return nil
	}
	t, ours := parseTicket(call.UUID)
	clear := l.secure != 0 && !m.Options.Has(message.Secure)
	switch {
	case call.Reply && clear:
		l.drop(m, "reply in the clear")
	case call.Reply:
		l.reply(m, call, &t, ours)
	case clear:
		l.refuse(m, call, &t, ours, ErrNoHandler)
	default:
		l.request(m, call, &t, ours)
	}
	return nil
}

// maxForeignID is how long, in bytes, the ids of a call may be.
const maxForeignID = 4096

// drop notes that a message leads nowhere.
func (l *rpc) drop(m *message.Message, reason string) {
	l.counts.dropped.Add(1)
	l.host.Trace().MessageDropped(rpcName, m.Source, m.ID, reason)
}

const rpcName = "rpc"

// reply gives a reply to the call that waits for it.
func (l *rpc) reply(m *message.Message, r *javaser.RPC, t *ticket, ours bool) {
	var c *call
	if ours {
		c = l.waiting.find(t.id)
	}
	if c != nil && c.settle(t.id, m.Source.Key(), l.answer(m, r, t.status)) {
		return
	}
	l.late(m, r, t, ours)
}

// answer is what a reply means.
func (l *rpc) answer(m *message.Message, r *javaser.RPC, status byte) Answer {
	if r.NoChannel {
		return Answer{Outcome: CallNoHandler, Err: ErrNoHandler}
	}
	if size := m.Len(); size-size/blockShare-rpcOverhead > l.cfg.MaxReply {
		return Answer{Outcome: CallBadReply, Err: tooLarge("reply", size, l.cfg.MaxReply)}
	}
	b := bodyOf(m.Payload(), r)
	b.read()
	if status == statusReply {
		return Answer{Outcome: CallReplied, Body: b}
	}
	o, err := remoteError(status, string(b.Bytes))
	return Answer{Outcome: o, Err: err}
}

// blockShare is which part of what Java writes is heads of blocks, at most: five bytes
// in 1029.
const blockShare = 128

// late notes a reply that no call waits for.
func (l *rpc) late(m *message.Message, r *javaser.RPC, t *ticket, ours bool) {
	if ours && t.flags&noReplyWanted != 0 {
		l.counts.unwanted.Add(1) // a Java node replies to every request
		return
	}
	l.counts.late.Add(1)
	l.host.Trace().MessageDropped(rpcName, m.Source, m.ID, "reply that no call waits for")
	known := l.find(r.ID)
	if known == nil || r.NoChannel || t.status != statusReply {
		return
	}
	if f := known.late.Load(); f != nil {
		from, b := m.Source, bodyOf(m.Payload(), r)
		l.told.put(m.Len(), func() { l.tell(*f, known.id, from, &b) })
	}
}

// tell calls a function of HandleLate; a panic in it is logged and ends there.
func (l *rpc) tell(f func(*Member, Body), id string, from *Member, b *Body) {
	defer func() {
		if p := recover(); p != nil {
			l.counts.panics.Add(1)
			l.host.Logger().Error("function for late replies panicked", "rpc", id, "member", from, "panic", p)
		}
	}()
	b.read()
	f(from, *b)
}
