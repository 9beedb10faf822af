package interceptor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// TCPFailureDetector is a layer that believes a membership service only after
// it has tried the member's TCP port (docs/wire.md, Interceptors). It stands
// below all layers that change the bytes of messages.
//
// A member is announced to the layers above when a probe reaches it, and is
// tried again and again, at first after a tenth of a second, until one does.
// When its heartbeats stop, or a send to it fails, it is probed: if it does not
// answer it has Failed; if it does it stays, as a suspect if its heartbeats are
// missing, and is probed again each CheckPeriod. A suspect that is heard again
// raises nothing. A goodbye is believed without a probe, and so is a new
// process on the address of an old one: the old identity, once its heartbeats
// are missing, has Failed, since a probe cannot tell which of the two answers.
// A listener that failed on a message (message.RemoteError) says nothing about
// its member.
//
// A member whose heartbeats are missing, and one to which several sends have
// timed out (Faults) while it still sends heartbeats, must answer a frame,
// because the kernel of a process that hangs still accepts connections. Who was
// silent for the drop time of the membership and for ReadTimeout has Failed, and
// joins again when it answers. See ReadTest for what this sends to Java nodes.
//
// Probes run in parallel and outside of all locks. A result counts only if
// nothing new was heard of the member meanwhile. A process that finds its own
// timers late gives its probes as much more time, up to 10 s, and does not count
// timeouts of that while against others; it tells so (DetectorStats, and a line if it
// was late by a second). A member that fails again and again is held out for a while
// (Flaps).
//
// The fields are settings; they are read when the layer is bound. The zero
// value has the defaults of Tribes where they exist. A detector serves one
// channel. Its methods are safe for concurrent use.
type TCPFailureDetector struct {
	// ConnectTimeout bounds the connection attempt of a probe; zero means 1 s.
	ConnectTimeout time.Duration
	// NoSendTest makes probes connect and write nothing; what needs an answer
	// (ReadTest) still writes a frame. Tribes calls the opposite performSendTest.
	NoSendTest bool
	// ReadTest says which probes must be answered.
	ReadTest ReadTest
	// ReadTimeout bounds the wait for that answer; zero means 5 s.
	ReadTimeout time.Duration
	// SuspectTimeout is how long a member whose heartbeats are missing, but which
	// answers probes, is a suspect; zero means 5 min, negative for ever. After it
	// the member is trusted and probed ten times less often.
	SuspectTimeout time.Duration
	// OptionFlag is or-ed into the options of the frames of probes, and only
	// messages that have these bits are taken for probes of others.
	OptionFlag message.Options
	// CheckPeriod is the time between probes of one suspect, and of one member
	// that could not be reached for long; zero means 1 s, the least is 10 ms.
	CheckPeriod time.Duration
	// MaxProbes is how many probes run at a time, never two to one address; zero
	// means 256. Members not announced yet get at most half of them.
	MaxProbes int
	// Faults is the number of sends to a member that must time out before it has
	// to answer a frame of a probe, even if it sends heartbeats; each such answer
	// begins the count anew. Zero means 3, negative never.
	Faults int
	// Watchdog is the time between probes of members for which there is no reason
	// to doubt them; it finds a member whose TCP port alone is cut off when
	// nothing is sent to it. Zero or negative means no such probes; the least is
	// CheckPeriod.
	Watchdog time.Duration
	// DetectWithin, if not zero, is the time in which a member has Failed that has
	// ended, hangs or cannot be reached any more, whether or not its heartbeats go on;
	// that of a member which says goodbye, or whose port is closed, is mostly shorter.
	// What is zero of Watchdog, ConnectTimeout, ReadTimeout and CheckPeriod is derived
	// from it: a quarter, an eighth, three eighths and a sixteenth. All probes must be
	// answered then, as with ReadAlways, unless ReadTest is ReadNever; with that a
	// process that hangs is not found by it. The least is 200 ms. It holds for up to
	// MaxProbes members, and while this process gets the time to look.
	DetectWithin time.Duration
	// Flaps is how often in a row a member may fail, without having been there for
	// FlapWindow in between, and be announced again as soon as it answers. From then on
	// it is held out, after its failure, for twice CheckPeriod, and twice as long each
	// time, up to a twelfth of FlapWindow. Goodbyes do not count, and neither does a process that was
	// started anew, which is another member. Zero means 5, negative never.
	Flaps int
	// FlapWindow is how long a member must have been there for its earlier failures to
	// be forgotten; zero means 1 min.
	FlapWindow time.Duration

	set   detectorSettings
	host  channel.Host
	above channel.Up

	mu     sync.Mutex
	roster *roster // guarded by mu; changed in line with the events only
	view   atomic.Pointer[membership.View]

	busy     atomic.Bool // the roster waits for a time
	checking atomic.Bool // a check is in line
	faults   faultBox
	late     lateness
	lines    hush.Hush[struct{}] // of the log
	counts   detectorCounts
}

var _ channel.Interceptor = (*TCPFailureDetector)(nil)

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (d *TCPFailureDetector) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if d.host != nil {
		return below, errBound
	}
	set, err := d.settings()
	if err != nil {
		return below, err
	}
	d.host, d.set = h, set
	d.roster = newRoster(&d.set)
	d.late.pulse = set.pulse
	d.view.Store(new(membership.View))
	h.OnStart(d.start)
	h.Every(set.pulse, d.tick)
	below.View = d.view.Load
	return below, nil
}

// BindUp implements channel.Interceptor.
func (d *TCPFailureDetector) BindUp(above channel.Up) channel.Up {
	d.above = above
	up := above
	up.Receive = d.receive
	up.Event = d.event
	up.Fault = d.fault
	return up
}

// start learns the local address, which no other member may have.
func (d *TCPFailureDetector) start(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.roster.local = d.host.Local().AddrPort()
	return nil
}

// event takes what the membership reports.
func (d *TCPFailureDetector) event(ev membership.Event) {
	d.apply(func(r *roster, now time.Time) { r.event(ev, now) })
}

// tick looks how late it is called, and whether a probe is due.
func (d *TCPFailureDetector) tick(context.Context) {
	now := time.Now()
	if late := d.late.tick(now); late >= notableLag {
		d.starved(late, now)
	}
	if !d.busy.Load() || !d.checking.CompareAndSwap(false, true) {
		return
	}
	d.host.Serial(func() {
		d.checking.Store(false)
		d.apply((*roster).check)
	})
}

// apply changes the roster and does what follows from the change. It is called
// in line with the events, so what it passes up is serial.
func (d *TCPFailureDetector) apply(change func(r *roster, now time.Time)) {
	d.mu.Lock()
	now := time.Now()
	change(d.roster, now)
	todo := d.roster.finish()
	d.mu.Unlock()
	d.busy.Store(todo.busy)
	for _, p := range todo.probes {
		d.host.Go("probe", func(ctx context.Context) { d.probe(ctx, p) })
	}
	for _, n := range todo.notes {
		d.log(n, now)
	}
	for _, s := range todo.steps {
		d.view.Store(s.view)
		d.above.Event(s.ev)
	}
}
