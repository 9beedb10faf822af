package interceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Order is a layer that delivers the messages of each sender in the order in
// which it sent them (docs/wire.md, Interceptors). Each message gets a number,
// counted per destination from 1, in four bytes behind its payload. All members
// of a group need the layer, at the same place in their stacks. It puts nothing
// in order between different senders.
//
// Sending. Each destination gets a frame of its own, with the same message id.
// Numbers are given in the order in which the layer below accepts the messages
// for a destination, and a message that is not accepted uses up none. A message
// that was accepted and is found out later not to be sendable leaves a gap, for
// which the receiver waits once. Destinations that keep the caller waiting are
// sent to after the others. Messages with the option Multicast, which are one
// frame for all, cannot be numbered and are refused.
//
// Receiving. A message whose number is the next one is delivered. One that
// comes too early waits, in a copy, for those before it, until it has waited
// for Expire; then the missing ones are given up and counted, and it is
// delivered, with all that waits before it. The sender of a message that waits
// is told at once that all is well, as in Tribes, since nobody could answer for
// the application yet; a later error of the application is lost to it. A
// message that comes when it was given up already is delivered out of order, as
// in Tribes (but see DropExpired). One that was delivered before, with this
// number and message id, is dropped and counted; Tribes delivers it again.
//
// Beginning anew. A restarted process has another identity and is another
// sender. When a member leaves or fails, the count towards it begins at 1
// again, as in Tribes, and what waits of it is delivered after a tenth of
// Expire: its last messages may still be on their way. Where its own count will
// go on is then open, since it may have noticed nothing: the number that was
// expected goes on, 1 begins anew, and with any other number messages are
// gathered for a tenth of Expire, put in order, and the count goes on behind
// them. The same is done with a first number beyond 1024, and with a number
// that was used before for another message, is below those of this count, is the
// second late one in a row, or is too far from the expected one to be late or
// early: such a sender counts elsewhere. (Tribes delivers all that
// is below the expected number as it comes, and makes all that is above it wait
// for Expire and for one message more.) Numbers are 32 bits and go round.
//
// The fields are settings; they are read when the layer is bound. The zero
// value has the defaults of Tribes but for the bounds. An Order serves one
// channel. Its methods are safe for concurrent use.
type Order struct {
	// OptionFlag is what a message must have in its options to be numbered, and
	// to be taken for numbered when it is received. Zero means all messages. As
	// in Tribes (optionFlag), all members must use the same.
	OptionFlag message.Options
	// Expire is how long a message waits for those before it (expire in Tribes).
	// Zero means 3 s; the least is 10 ms. It is noticed a tenth of a second late
	// at most, whether or not there are more messages.
	Expire time.Duration
	// DropExpired makes messages that have waited for Expire be dropped, and so
	// those that come after they were given up, instead of delivered; it is the
	// opposite of forwardExpired in Tribes. The sender of the latter is told.
	DropExpired bool
	// MaxQueue is how many messages of one sender may wait (maxQueue in Tribes,
	// where it is 2^31-1). When one more comes, they are treated as if they had
	// waited for Expire. Zero means 65536, negative no bound.
	MaxQueue int
	// MaxBytes bounds the memory, in bytes, of the messages of all senders that
	// wait, counted as it is taken; each sender gets half of it. A message of a sender
	// for which there is no more room ends the wait of those of that sender. Zero means
	// 64 MiB, negative no bound.
	MaxBytes int

	base
	set   orderSettings
	above channel.Up

	mu      sync.RWMutex // guards the maps, not what is in them
	targets map[membership.Key]*orderTarget
	sources map[membership.Key]*orderSource
	members map[membership.Key]struct{} // never forgotten while they are there

	ticks    atomic.Uint64 // pulses so far, a coarse clock
	held     atomic.Int64  // messages that wait, or have waited and are not delivered yet
	bytes    atomic.Int64  // the memory of those
	draining atomic.Bool   // nothing waits any more
	empty    chan struct{} // has room for one value; told when held becomes 0 while draining
	counts   orderCounts
}

var _ channel.Interceptor = (*Order)(nil)

// The defaults of an Order.
const (
	defaultExpire   = 3 * time.Second
	defaultMaxQueue = 65536
	defaultMaxWait  = 64 << 20

	leastExpire = 10 * time.Millisecond
	leastTick   = time.Millisecond
	mostTick    = 100 * time.Millisecond
	gatherPart  = 10 // of Expire, for which a count is gathered that was lost

	numberSize = 4
)

var (
	errOrderMulticast = errors.New("tribes: order: a multicast message cannot be numbered")
	errNoNumber       = errors.New("tribes: order: the message is too short to have a number")
	errTooLate        = errors.New("tribes: order: the message came too late and was dropped")
)

// The reasons for which an Order drops messages, as the trace tells them.
const (
	reasonNoNumber = "no number"
	reasonTooLate  = "too late"
	reasonExpired  = "waited too long"
	reasonMissing  = "missing"
)

// orderSettings are the checked settings of an Order, with defaults.
type orderSettings struct {
	flag           message.Options
	expire, gather time.Duration
	tick           time.Duration
	drop           bool
	maxQueue       int
	window         int32 // how far ahead of the expected number a message is early
	maxBytes       int64
	share          int64 // of it, for each sender
}

func (o *Order) settings() (orderSettings, error) {
	s := orderSettings{
		flag:     o.OptionFlag,
		expire:   cmp.Or(o.Expire, defaultExpire),
		drop:     o.DropExpired,
		maxQueue: cmp.Or(o.MaxQueue, defaultMaxQueue),
		maxBytes: int64(cmp.Or(o.MaxBytes, defaultMaxWait)),
	}
	s.gather = s.expire / gatherPart
	s.tick = min(max(s.gather/2, leastTick), mostTick)
	if s.maxQueue < 0 {
		s.maxQueue = math.MaxInt32
	}
	if s.maxBytes < 0 {
		s.maxBytes = math.MaxInt64
	}
	s.share = max(s.maxBytes/2, 1)
	s.window = int32(min(max(s.maxQueue, memorySize), math.MaxInt32))
	var errs []error
	if s.expire < leastExpire {
		errs = append(errs, fmt.Errorf("tribes: order: Expire %v: want at least %v", s.expire, leastExpire))
	}
	if s.flag&(message.Multicast|message.NumberedAcks) != 0 {
		errs = append(errs, fmt.Errorf("tribes: order: OptionFlag %s: want neither %s nor %s",
			s.flag, message.Multicast, message.NumberedAcks))
	}
	return s, errors.Join(errs...)
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (o *Order) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	set, err := o.settings()
	if err := o.bind("Order", h, below, err); err != nil {
		return below, err
	}
	o.set = set
	o.mu.Lock()
	o.targets = make(map[membership.Key]*orderTarget)
	o.sources = make(map[membership.Key]*orderSource)
	o.members = make(map[membership.Key]struct{})
	o.mu.Unlock()
	o.empty = make(chan struct{}, 1)
	h.Every(set.tick, func(context.Context) { o.tick(time.Now()) })
	h.OnDrain(o.drain)
	below.Send = o.send
	return below, nil
}

// BindUp implements channel.Interceptor.
func (o *Order) BindUp(above channel.Up) channel.Up {
	o.above = above
	up := above
	up.Receive = o.receive
	up.Event = o.event
	return up
}

// handles reports whether messages with these options are numbered.
func (o *Order) handles(m message.Options) bool { return m.Has(o.set.flag) }

// event passes an event on and notes what it means for the counts.
func (o *Order) event(ev membership.Event) {
	k := ev.Member.Key()
	switch ev.Kind {
	case membership.Joined:
		o.mu.Lock()
		o.members[k] = struct{}{}
		o.mu.Unlock()
	case membership.Left, membership.Failed:
		o.mu.Lock()
		delete(o.members, k)
		t, s := o.targets[k], o.sources[k]
		o.mu.Unlock()
		if t != nil {
			t.reset.Store(true)
		}
		if s != nil {
			s.mu.Lock()
			s.track.depart(time.Now())
			s.mu.Unlock()
		}
	}
	o.above.Event(ev)
}
