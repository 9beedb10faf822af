package transporttest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var faultChecks = []check{
	{"somebody there again", somebodyThereAgain},
	{"receiver stops", receiverStops},
	{"forget", forget},
	{"told of members early", prepared},
}

func nobodyThere(g *rig) {
	a := g.node(defaults, discard)
	gone := g.gone(defaults)
	for range 2 { // the second time the sender has learnt something
		for _, mode := range modes {
			s := a.sendTo(g.Context(), mode.options, []byte("x"), gone)
			s.want(message.NotSent)
			f := a.awaitFault(s.id)
			var remote *message.RemoteError
			if f.err == nil || errors.As(f.err, &remote) || f.member.Key() != gone.Key() {
				g.Errorf("%s: fault of %v: %v, want %v and an error of the way", mode.name, f.member, f.err, gone)
			}
		}
	}
}

// somebodyThereAgain has a link that broke because the other side ended, and
// then a healthy one to another member.
func somebodyThereAgain(g *rig) {
	rec := g.recorder(10)
	a, b, c := g.node(defaults, discard), g.node(defaults, discard), g.node(defaults, rec.receive)
	a.send(message.UseAck, []byte("x"), b).want(message.Acknowledged)
	b.stop(g.Context())
	for range 3 {
		if r := a.send(message.UseAck, []byte("x"), b).result(); r.Outcome.OK() {
			g.Errorf("outcome at a member that has ended = %v", r.Outcome)
		}
		a.send(message.UseAck, []byte("x"), c).want(message.Acknowledged)
		await(g, rec.got, "the message to the healthy member")
	}
}

// receiverStops ends a receiver whose listener has messages to work on: what
// was acknowledged must reach it.
func receiverStops(g *rig) {
	const count = 50
	var delivered atomic.Int64
	a := g.node(defaults, discard)
	b := g.node(defaults, func(context.Context, *message.Message) error {
		time.Sleep(slow)
		delivered.Add(1)
		return nil
	})
	for range count {
		a.send(message.UseAck, []byte("x"), b).want(message.Acknowledged)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Receiver.Stop(ctx); err != nil {
		g.Errorf("Receiver.Stop: %v", err)
	}
	if n := delivered.Load(); n != count {
		g.Errorf("%d messages were acknowledged and %d delivered", count, n)
	}
}

func stuckSync(g *rig) {
	block := g.gate()
	rec := g.recorder(1)
	a, b, c := g.node(short, discard), g.node(short, block.receive), g.node(short, rec.receive)
	begin := time.Now()
	for range 2 {
		s := a.send(message.Sync, []byte("x"), b, c)
		await(g, rec.got, "the message to the healthy member")
		took := time.Since(begin)
		r := s.results()
		if r[0].Outcome != message.Unknown || !isTimeout(r[0].Err) {
			g.Errorf("outcome = %v (%v), want %v and a timeout", r[0].Outcome, r[0].Err, message.Unknown)
		}
		if r[1].Outcome != message.Acknowledged {
			g.Errorf("outcome at the healthy member = %v (%v)", r[1].Outcome, r[1].Err)
		}
		if took >= short.Timeout {
			g.Errorf("the stuck member held up the message to the healthy one for %v", took)
		}
		if took := time.Since(begin); took < short.Timeout || took > short.Timeout+patience/2 {
			g.Errorf("timed out after %v, want %v", took, short.Timeout)
		}
		begin = time.Now()
	}
	block.open()
}

// isTimeout looks for what callers look for.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, message.ErrTimeout) && errors.As(err, &t) && t.Timeout()
}

// stuckFull sends without asking for answers until every buffer on the way is
// full: the sender must say so.
func stuckFull(g *rig) {
	block := g.gate()
	rec := g.recorder(1)
	a, b, c := g.node(short, discard), g.node(short, block.receive), g.node(short, rec.receive)
	fill(g, a, b)
	a.send(message.UseAck, []byte("x"), c).want(message.Acknowledged)
	await(g, rec.got, "the message to the healthy member")
	block.open()
}

// fill sends to b, which is stuck, until a send fails, and looks at how.
func fill(g *rig, a, b *node) {
	g.Helper()
	payload := random(1 << 20)
	for range 128 {
		s := a.send(0, payload, b)
		r := s.result()
		if r.Outcome == message.Written {
			continue
		}
		if r.Outcome.OK() || r.Outcome == message.Refused || !isTimeout(r.Err) {
			g.Errorf("outcome = %v (%v), want a timeout", r.Outcome, r.Err)
		}
		a.awaitFault(s.id)
		return
	}
	g.Errorf("128 MiB were written to a node that takes nothing")
}

// contextEnds has a context that ends while Send waits for room.
func contextEnds(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	ctx, cancel := context.WithTimeout(g.Context(), 500*time.Millisecond)
	defer cancel()
	var all []*sent
	payload := random(1 << 20)
	for i := 0; i < 128 && ctx.Err() == nil; i++ {
		all = append(all, a.sendTo(ctx, 0, payload, b.member()))
	}
	if ctx.Err() == nil {
		g.Errorf("128 MiB were accepted for a node that takes nothing")
	}
	block.open()
	for _, s := range all {
		if r := s.result(); r.Outcome != message.Written && !errors.Is(r.Err, context.DeadlineExceeded) && !isTimeout(r.Err) {
			g.Errorf("outcome = %v (%v), want %v, or the cause of the context", r.Outcome, r.Err, message.Written)
		}
	}
}

// prepared tells the sender of members before the first message to them, if it
// wants to know. That must change nothing but how long things take.
func prepared(g *rig) {
	rec := g.recorder(1)
	a, b, gone := g.node(defaults, discard), g.node(defaults, rec.receive), g.gone(defaults)
	if p, ok := a.Sender.(channel.Preparer); ok {
		for _, m := range []*membership.Member{b.member(), gone, b.member()} {
			p.Prepare(m)
		}
	}
	a.send(message.UseAck, []byte("x"), b).want(message.Acknowledged)
	await(g, rec.got, "the message")
	a.sendTo(g.Context(), message.UseAck, []byte("x"), gone).want(message.NotSent)
	a.Sender.Forget(gone)
}

func forget(g *rig) {
	block := g.gate()
	rec := g.recorder(1)
	a, b, c := g.node(defaults, discard), g.node(defaults, block.receive), g.node(defaults, rec.receive)
	waiting := []*sent{a.send(message.Sync, []byte("x"), b), a.send(message.Sync, []byte("x"), b)}
	await(g, block.entered, "the first message")
	stranger := g.gone(defaults)
	begin := time.Now()
	for _, m := range []*membership.Member{b.member(), b.member(), stranger} {
		a.Sender.Forget(m)
	}
	waiting[0].want(message.Unknown)
	if r := waiting[1].result(); r.Outcome != message.Unknown && r.Outcome != message.NotSent {
		g.Errorf("outcome of the second = %v (%v), want %v or %v", r.Outcome, r.Err, message.Unknown, message.NotSent)
	}
	if took := time.Since(begin); took >= defaults.Timeout {
		g.Errorf("what waited was settled %v after Forget", took)
	}
	a.send(message.UseAck, []byte("x"), c).want(message.Acknowledged)
	block.open()
	a.send(message.Sync, []byte("it begins anew"), b).want(message.Acknowledged)
}
