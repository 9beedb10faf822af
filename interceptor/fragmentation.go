package interceptor

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// Fragmentation is a layer that sends a message longer than MaxSize as several
// frames (docs/wire.md, Interceptors). Every message gets a trailer: one byte if
// it is whole, nine if it is a part. All members of a group need the layer, at the
// same place in their stacks. What needs one frame for each message id
// (TwoPhaseCommit, another Fragmentation) stands above it.
//
// Sending. The bytes are copied once, part by part. A part is handed down when the
// one before is settled (but see InFlight), and to no destination where one has failed
// already. Each part is acknowledged by itself; the worst outcome at a destination is
// that of the message, and one that did not get all parts is NotSent with
// [ErrPartLost], or Unknown. The send returns when the last part was accepted; its
// context bounds that. What is refused below after the first part was tried is an
// outcome. A message of more than MaxSenderBytes is refused with message.ErrTooLarge.
//
// Receiving. Parts are gathered by sender and message id, and by how they came, so
// that two senders never mix, and neither do parts that came over TLS and others.
// (Tribes gathers by the message id alone.) Each is copied once to its place, those of the
// first quarter of a large message a second time: memory is taken for what has
// arrived, up to four times as much, and not for what a part claims. The message is
// passed up with the last part, and its sender told the result if it waits for the
// processing; for the other parts it is told at once that all is well, as in
// Tribes. A part that was here before takes the place of the old one.
//
// Dropped, told to the trace and counted is a part that makes no sense (its index,
// its count or its length contradicts itself or the parts before), is shorter than
// MinSize and not the last, or for which there is no room. Its sender is told, if it
// waits for the processing. With it goes, if there is no room, what was gathered of
// its message. A message whose parts do not come is dropped, told and counted when
// none came for Expire; of a member that has left or failed, for a tenth of that.
// Its sender cannot be told. Nor is it told if a process takes the address of another
// while the parts of a message are on their way: each of the two has acknowledged some
// of them, and neither has all.
//
// The fields are settings; they are read when the layer is bound. The zero value
// has the defaults of Tribes and bounds, which Tribes has not. A Fragmentation
// serves one channel. Its methods are safe for concurrent use.
type Fragmentation struct {
	// OptionFlag is what a message must have in its options to be split; others are
	// sent whole. Zero means all messages, as in Tribes (optionFlag). The trailer is
	// there in either case.
	OptionFlag message.Options
	// MaxSize is the length in bytes up to which a message is sent whole, and that of
	// the parts of others but the last (maxSize in Tribes). Zero means 102400. Nine
	// bytes are added, and what the layers below add; the frame with all that must
	// fit into the frame limits, which channel.New checks.
	MaxSize int
	// MinSize is the length in bytes below which a received part that is not the
	// last is dropped, so that nobody makes us count a message by the byte. It is at
	// most the MaxSize of any member. Zero means 128, negative 1.
	MinSize int
	// InFlight is how many parts of one message may be on their way, accepted by the
	// layer below and not settled. Zero means 1, as in Tribes: a Java node that gets two
	// parts of a message at the same time may deliver it twice, or fail on it. Parts of a
	// message that is acked are acked when they are processed then; messages to such nodes
	// that ask for no ack are not safe from that. Their receivers should be set up as
	// docs/wire.md says. In groups of this module alone more are faster where answers
	// take long; the most is 1024.
	InFlight int
	// Expire is how long the parts of a message are kept after the latest one came
	// (expire in Tribes, where it is after the first). Zero means 60 s; the least is
	// 10 ms. It is noticed up to a tenth later, and a second at most.
	Expire time.Duration
	// MaxBytes bounds the bytes of parts that are kept, of all senders. Zero means
	// 256 MiB, negative no bound.
	MaxBytes int
	// MaxSenderBytes bounds the same for each sender, and with it the length of a
	// message. It is at most MaxBytes. Zero means 128 MiB, or MaxBytes if that is
	// less; negative no bound, for messages of up to 2 GiB.
	MaxSenderBytes int
	// MaxMessages bounds the messages of one sender of which there are parts. Zero
	// means 1024, negative no bound.
	MaxMessages int

	keeping

	set     fragmentSettings
	flights sync.Pool // of *flight

	mu     sync.Mutex // guards what follows; taken after the lock of a gathering
	all    map[fragmentKey]*gathering
	closed bool

	counts fragmentCounts
}

var (
	_ channel.Interceptor = (*Fragmentation)(nil)
	_ channel.Checked     = (*Fragmentation)(nil)
)

// ErrPartLost means that a message was not sent as a whole: a part of it was not,
// for the reason that is wrapped beside it, and the rest was kept back.
var ErrPartLost = errors.New("tribes: fragmentation: a part of the message was not sent")

// The defaults of a Fragmentation.
const (
	defaultFragment      = 102400
	defaultLeastFragment = 128
	defaultFragmentSets  = 1024

	mostMessage = math.MaxInt32 // a Java array
	mostFlights = 1024
)

// fragmentSettings are the checked settings of a Fragmentation, with defaults.
type fragmentSettings struct {
	keepSettings

	flag        message.Options
	size, least int
	flights     int
	limit       int // of a message
}

func (f *Fragmentation) settings() (fragmentSettings, error) {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: fragmentation: "+format, args...))
	}
	s := fragmentSettings{
		keepSettings: newKeepSettings(f.Expire, f.MaxBytes, f.MaxSenderBytes, f.MaxMessages, defaultFragmentSets, bad),

		flag:    f.OptionFlag,
		size:    cmp.Or(f.MaxSize, defaultFragment),
		least:   max(cmp.Or(f.MinSize, defaultLeastFragment), 1),
		flights: cmp.Or(f.InFlight, 1),
	}
	s.limit = int(min(s.each-heldEntry, s.total-heldEntry, mostMessage))
	if s.size < s.least {
		bad("MaxSize %d: want at least MinSize, %d", s.size, s.least)
	}
	if s.flights < 1 || s.flights > mostFlights {
		bad("InFlight %d: want 1 to %d", s.flights, mostFlights)
	}
	if s.limit < s.size {
		bad("MaxBytes %d and MaxSenderBytes %d: want room for MaxSize, %d, and %d more", s.total, s.each, s.size, heldEntry)
	}
	if s.flag&(message.Multicast|message.NumberedAcks) != 0 {
		bad("OptionFlag %s: want neither %s nor %s", s.flag, message.Multicast, message.NumberedAcks)
	}
	return s, errors.Join(errs...)
}

// Traits implements channel.Checked.
func (f *Fragmentation) Traits() channel.Traits {
	s, _ := f.settings() // BindDown tells what is wrong with them
	t := channel.Traits{Transforms: true, Selects: s.flag, Splits: true, NeedsUniqueIDs: true}
	if s.flag == 0 {
		t.MaxPayload = s.size + partTrailer
	} else {
		t.Adds = partTrailer
	}
	return t
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (f *Fragmentation) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	set, err := f.settings()
	if err := f.bind("Fragmentation", h, below, err); err != nil {
		return below, err
	}
	f.set = set
	f.mu.Lock()
	f.all = make(map[fragmentKey]*gathering)
	f.mu.Unlock()
	f.keep(&f.set.keepSettings, f)
	below.Send = f.send
	return below, nil
}

// BindUp implements channel.Interceptor.
func (f *Fragmentation) BindUp(above channel.Up) channel.Up { return f.bindUp(above, f.receive) }
