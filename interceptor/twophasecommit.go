package interceptor

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// TwoPhaseCommit is a layer by which a message is delivered when all its
// destinations have it, and nowhere if one has not (docs/wire.md, Interceptors). The
// message is sent as it is; when every destination was a success, a confirmation
// follows, and receivers pass the message up with that. All members of a group need
// the layer, at the same place in their stacks, above Fragmentation.
//
// It is as good as the option of the message: with UseAck a success is that the
// destination has the message, without it that the bytes were given to the network.
// And it is not a transaction: who gets no confirmation, because the sender or the
// network failed in between, drops a message that others have processed. The sender
// is told.
//
// Sending. If a destination fails, the others are not confirmed and are NotSent with
// [ErrNotConfirmed]; the failed ones keep their outcome. If all have the message, the
// outcome is that of the confirmation, which travels with the same options: with Sync
// it tells what the application answered. Confirmations leave in the order in which
// messages were acknowledged everywhere. A sender that gave up waiting before that
// confirms nothing, and neither does one that has waited for Expire: destinations that had
// the message first have dropped it.
//
// The layer stands above Dispatch, Order and Compress. These hand a message down for each
// destination, or some of them, by itself; below them that is all that the layer knows
// of, and the message is delivered there whatever becomes of it elsewhere. (In Tribes that
// is so below OrderInterceptor.)
//
// Receiving. A message waits, in a copy, for its confirmation, and the one before it
// for the other; they belong together by sender and message id, and by how they came
// (over TLS or not). (In Tribes by the id alone, and a confirmation that comes first is
// lost.) A confirmation with Sync does not wait: its message came before it or is gone,
// with a process that was replaced or by its time, and the sender is told. What waits is
// bounded. A message for which there is no room is dropped, counted, and its sender
// told if it asked for Sync. One that was not confirmed for Expire is dropped, told
// to the trace and counted; if its sender has left or failed, after a tenth of that.
//
// The fields are settings; they are read when the layer is bound. The zero value has
// the defaults of Tribes and bounds, which Tribes has not. A TwoPhaseCommit serves
// one channel. Its methods are safe for concurrent use.
type TwoPhaseCommit struct {
	// OptionFlag is what a message must have in its options to be confirmed, and to be
	// taken for one that will be when it is received. Zero means all messages. As in
	// Tribes (optionFlag), all members must use the same.
	OptionFlag message.Options
	// Expire is how long a message waits for its confirmation (expire in Tribes). It
	// must be longer than the ack timeout of senders; channel.New checks that of its
	// own. Zero means 60 s; the least is 10 ms. It is noticed up to a tenth later, and
	// a second at most.
	Expire time.Duration
	// MaxBytes bounds the bytes of messages that wait, of all senders. Zero means
	// 256 MiB, negative no bound.
	MaxBytes int
	// MaxSenderBytes bounds the same for each sender. It is at most MaxBytes. Zero
	// means 128 MiB, or MaxBytes if that is less; negative no bound.
	MaxSenderBytes int
	// MaxMessages bounds the messages of one sender that wait. Zero means 16384,
	// negative no bound.
	MaxMessages int

	keeping

	set    commitSettings
	out    proposals
	pool   sync.Pool  // of *proposal
	mu     sync.Mutex // guards what follows
	parked map[parkKey]*parked
	closed bool

	counts commitCounts
}

var (
	_ channel.Interceptor = (*TwoPhaseCommit)(nil)
	_ channel.Checked     = (*TwoPhaseCommit)(nil)
)

// ErrNotConfirmed means that a message will not be delivered by destinations that
// have it, because it was not confirmed to them: another destination failed, or the
// confirmation could not be sent.
var ErrNotConfirmed = errors.New("tribes: two-phase commit: the message was not confirmed")

const defaultCommitMessages = 16384

// commitSettings are the checked settings of a TwoPhaseCommit, with defaults.
type commitSettings struct {
	keepSettings

	flag message.Options
}

func (c *TwoPhaseCommit) settings() (commitSettings, error) {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: two-phase commit: "+format, args...))
	}
	s := commitSettings{
		keepSettings: newKeepSettings(c.Expire, c.MaxBytes, c.MaxSenderBytes, c.MaxMessages, defaultCommitMessages, bad),
		flag:         c.OptionFlag,
	}
	if s.flag&message.NumberedAcks != 0 {
		bad("OptionFlag %s: want not %s", s.flag, message.NumberedAcks)
	}
	return s, errors.Join(errs...)
}

// Traits implements channel.Checked.
func (c *TwoPhaseCommit) Traits() channel.Traits {
	s, _ := c.settings() // BindDown tells what is wrong with them
	return channel.Traits{Transforms: true, Confidential: true, Selects: s.flag, NeedsUniqueIDs: true, AwaitsAcks: s.expire}
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (c *TwoPhaseCommit) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	set, err := c.settings()
	if err := c.bind("TwoPhaseCommit", h, below, err); err != nil {
		return below, err
	}
	c.set = set
	c.out.ended, c.out.work = make(chan struct{}, 1), c.out.confirm
	c.mu.Lock()
	c.parked = make(map[parkKey]*parked)
	c.mu.Unlock()
	c.keep(&c.set.keepSettings, c)
	h.OnDrain(c.out.drain)
	below.Send = c.send
	return below, nil
}

// BindUp implements channel.Interceptor.
func (c *TwoPhaseCommit) BindUp(above channel.Up) channel.Up { return c.bindUp(above, c.receive) }

// close gives up what waits, on both sides.
func (c *TwoPhaseCommit) close() {
	for _, p := range c.out.close() {
		p.fail(channel.ErrClosed)
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.giveUp(func(*parked) bool { return true })
}
