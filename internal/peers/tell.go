package peers

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Content is a change as one peer is sent it.
type Content struct {
	Body []byte // is borrowed
	// Whole returns what the peer is sent instead if it refuses Body with Config.Lacks; nil if
	// there is nothing else. It is called on a goroutine of the owner, once at most.
	Whole func() []byte
}

// Tell sends a change to those of some peers that answer, and returns what there is to wait
// for. It borrows the body.
func Tell[P Embeds](mode Wait, body []byte, to []P) *Flight {
	return TellEach(mode, to, func(P) Content { return Content{Body: body} })
}

// TellEach is Tell of a change that not all peers are sent in the same form. content is called
// for each of them before TellEach returns.
func TellEach[P Embeds](mode Wait, to []P, content func(p P) Content) *Flight {
	f := newFlight(mode, len(to)+1) // one more, until all is posted
	for _, p := range to {
		if !p.base().post(f, content(p)) {
			f.settle(false, nil)
		}
	}
	f.settle(false, nil)
	return f
}

// carry sends a change that is posted. If the peer lacks what it builds on, it is sent again,
// whole.
func (p *Peer) carry(ctx context.Context, to []*membership.Member, f *Flight, c Content) {
	_, err := p.set.Topic.Post(ctx, to, c.Body, p.set.Options, func(_ message.ID, err error) {
		if c.Whole != nil && p.set.lacking(err) {
			p.carryWhole(f, c.Whole)
		} else {
			p.answered(f, err)
		}
	})
	if err != nil {
		p.answered(f, err)
	}
}

// carryWhole sends a change again. If the owner has ended the flight is settled when the peer
// leaves.
func (p *Peer) carryWhole(f *Flight, whole func() []byte) {
	p.set.Resent.Add(1)
	p.mu.Lock()
	p.since = time.Now() // it has answered
	p.mu.Unlock()
	p.set.Go(func(context.Context) {
		p.mu.Lock()
		_, waits := p.waiting[f]
		ctx, to := p.ctx, p.to
		p.mu.Unlock()
		if waits {
			p.carry(ctx, to, f, Content{Body: whole()})
		}
	})
}

// Refusal reports whether the other side has read a message and does not take it.
func Refusal(err error) bool {
	var r *message.RemoteError
	return errors.As(err, &r)
}

func refusedWith(err, reason error) bool {
	return Refusal(err) && strings.Contains(err.Error(), reason.Error())
}

// lacking reports whether err is the refusal of a change that is to be sent again.
func (c *core) lacking(err error) bool { return c.Lacks != nil && refusedWith(err, c.Lacks) }
