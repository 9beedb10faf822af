package transporttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

var outcomeChecks = []check{
	{"no ack is written", written},
	{"ack does not wait for the listener", ackDoesNotWait},
	{"sync ack waits for the listener", syncAckWaits},
	{"listener error", listenerError},
	{"listener error of a message that asked for less", listenerErrorUnasked},
	{"several destinations", severalDestinations},
	{"one bad destination", oneBadDestination},
	{"no duplicates", noDuplicates},
}

func written(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	for range 3 {
		a.send(0, []byte("x"), b).want(message.Written)
	}
	await(g, block.entered, "the first message")
	block.open()
}

func ackDoesNotWait(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	a.send(message.UseAck, []byte("first"), b).want(message.Acknowledged)
	await(g, block.entered, "the first message")
	for range 20 {
		a.send(message.UseAck, []byte("next"), b).want(message.Acknowledged)
	}
	block.open()
}

func syncAckWaits(g *rig) {
	block := g.gate()
	a, b := g.node(defaults, discard), g.node(defaults, block.receive)
	s := a.send(message.Sync, []byte("x"), b)
	await(g, block.entered, "the message")
	if s.isSettled() {
		g.Errorf("settled as %v before the listener has returned", s.result().Outcome)
	}
	block.open()
	s.want(message.Acknowledged)
}

func listenerError(g *rig) {
	long := strings.Repeat("why ", 200)
	reasons := []string{"no room on the shelf", long, ""}
	var n atomic.Int32
	a := g.node(defaults, discard)
	b := g.node(defaults, func(context.Context, *message.Message) error {
		return errors.New(reasons[(n.Add(1)-1)/2])
	})
	for _, reason := range reasons {
		for range 2 { // the first answer may open the link for numbered acks
			checkRefused(g, a, a.send(message.Sync, []byte("x"), b), reason)
		}
	}
}

func checkRefused(g *rig, from *node, s *sent, reason string) {
	g.Helper()
	r := s.want(message.Refused)
	var remote *message.RemoteError
	if !errors.As(r.Err, &remote) {
		g.Errorf("error = %v, want a *message.RemoteError", r.Err)
	} else if !strings.HasPrefix(reason, remote.Reason) || len(remote.Reason) > message.MaxReason {
		g.Errorf("reason = %q, want the beginning of %q", remote.Reason, reason)
	}
	from.wantNoFault(s)
}

func listenerErrorUnasked(g *rig) {
	a := g.node(defaults, discard)
	b := g.node(defaults, func(context.Context, *message.Message) error { return errors.New("no") })
	for range 3 {
		a.send(message.UseAck, []byte("x"), b).want(message.Acknowledged)
		a.send(0, []byte("x"), b).want(message.Written)
		a.send(message.SyncAck, []byte("alone it means nothing"), b).want(message.Written)
	}
}

func severalDestinations(g *rig) {
	const count = 5
	a := g.node(defaults, discard)
	recs := make([]*recorder, count)
	to := make([]*node, count)
	for i := range to {
		recs[i] = g.recorder(3)
		to[i] = g.node(defaults, recs[i].receive)
	}
	for _, mode := range modes {
		for i, r := range a.send(mode.options, []byte(mode.name), to...).results() {
			if r.Outcome != mode.success || r.Err != nil || r.Member.Key() != to[i].member().Key() {
				g.Errorf("%s: result %d = %v, %v (%v), want %v at %v", mode.name, i, r.Member, r.Outcome, r.Err, mode.success, to[i].member())
			}
			if m := await(g, recs[i].got, "a message"); string(m.Payload()) != mode.name {
				g.Errorf("%s: destination %d got %q", mode.name, i, m.Payload())
			}
		}
	}
}

// oneBadDestination sends to four members at once of which one is gone, one
// fails and two are well.
func oneBadDestination(g *rig) {
	rec := g.recorder(2 * len(modes))
	a, b, c := g.node(defaults, discard), g.node(defaults, rec.receive), g.node(defaults, rec.receive)
	angry := g.node(defaults, func(context.Context, *message.Message) error { return errors.New("no") })
	to := []*membership.Member{b.member(), g.gone(defaults), angry.member(), c.member()}
	for _, mode := range modes {
		want := []message.Outcome{mode.success, message.NotSent, mode.success, mode.success}
		if mode.options.SyncAcked() {
			want[2] = message.Refused
		}
		for i, r := range a.sendTo(g.Context(), mode.options, []byte("x"), to...).results() {
			if r.Outcome != want[i] {
				g.Errorf("%s: outcome at %d = %v (%v), want %v", mode.name, i, r.Outcome, r.Err, want[i])
			}
		}
		await(g, rec.got, "the message at the first")
		await(g, rec.got, "the message at the last")
	}
}

func noDuplicates(g *rig) {
	const count = 300
	var mu sync.Mutex // a sender may have several connections
	seen := make(map[message.ID]int)
	a := g.node(defaults, discard)
	b := g.node(defaults, func(_ context.Context, m *message.Message) error {
		mu.Lock()
		defer mu.Unlock()
		seen[m.ID]++
		return nil
	})
	all := make([]*sent, count)
	for i := range all {
		all[i] = a.send(modes[i%3].options, random(i), b)
	}
	for _, s := range all {
		s.result()
	}
	a.stop(g.Context())
	b.stop(g.Context())
	for _, s := range all {
		if seen[s.id] != 1 {
			g.Errorf("message %v was delivered %d times, want once", s.id, seen[s.id])
		}
	}
}
