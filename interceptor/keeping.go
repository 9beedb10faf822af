package interceptor

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// keeping is the part of a layer that keeps what others have sent until more of it comes,
// within bounds and for a time.
type keeping struct {
	base
	above channel.Up
	room  allowance
	by    keeper
}

// keeper is a layer that keeps something.
type keeper interface {
	expire(now time.Time)                   // gives up what is due
	depart(k membership.Key, now time.Time) // makes what came from a member due after the grace
	close()                                 // gives up everything; nothing is kept any more
}

// keepSettings are the checked settings of that part, with defaults.
type keepSettings struct {
	expire      time.Duration
	grace       time.Duration // after a departure
	tick        time.Duration
	total, each int64
	entries     int
}

// The defaults of layers that keep something.
const (
	defaultKeepExpire = 60 * time.Second
	defaultKeepBytes  = 256 << 20
	defaultKeepSender = 128 << 20

	mostKeepTick = time.Second
	heldEntry    = 1 << 10 // bytes that something kept takes beside its payload, generously
)

// newKeepSettings takes the fields of a layer and tells bad what is wrong with them.
func newKeepSettings(expire time.Duration, maxBytes, maxSender, maxMessages, otherwise int, bad func(format string, args ...any)) keepSettings {
	s := keepSettings{
		expire:  cmp.Or(expire, defaultKeepExpire),
		total:   bound(maxBytes, defaultKeepBytes),
		entries: int(min(bound(maxMessages, otherwise), math.MaxInt32)),
	}
	s.each = bound(maxSender, int(min(defaultKeepSender, s.total)))
	s.grace, s.tick = s.expire/gatherPart, min(max(s.expire/10, leastTick), mostKeepTick)
	if s.expire < leastExpire {
		bad("Expire %v: want at least %v", s.expire, leastExpire)
	}
	if maxSender > 0 && s.each > s.total {
		bad("MaxSenderBytes %d: want at most MaxBytes, %d", s.each, s.total)
	}
	return s
}

// bound is a setting that bounds something: zero stands for a default, negative
// for no bound.
func bound(setting, otherwise int) int64 {
	if setting < 0 {
		return math.MaxInt64
	}
	return int64(cmp.Or(setting, otherwise))
}

// keep begins to look after what the layer by keeps, when that is bound.
func (k *keeping) keep(s *keepSettings, by keeper) {
	k.by = by
	k.room.total, k.room.each, k.room.entries = s.total, s.each, s.entries
	k.host.Every(s.tick, func(context.Context) { by.expire(time.Now()) })
	k.host.Go(k.drops.layer, func(ctx context.Context) {
		<-ctx.Done() // nothing is sent or received any more
		by.close()
	})
}

// bindUp is the BindUp of the layer, whose ReceiveFunc is receive.
func (k *keeping) bindUp(above channel.Up, receive channel.ReceiveFunc) channel.Up {
	k.above = above
	above.Receive = receive
	above.Event = k.event
	return above
}

// event passes an event on; of who is gone nothing more is expected but what is on its
// way.
func (k *keeping) event(ev membership.Event) {
	if ev.Kind == membership.Left || ev.Kind == membership.Failed {
		k.by.depart(ev.Member.Key(), time.Now())
	}
	k.above.Event(ev)
}
