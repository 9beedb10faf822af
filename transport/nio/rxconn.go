package nio

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// rxNext says what a reactor does after [rxConn.fill].
type rxNext uint8

const (
	readOn  rxNext = iota // call fill again when there is something to read
	readNot               // wait for rxSocket.resume
	readEnd               // never call it again
)

// errWouldBlock is returned by the functions of non-blocking sockets in place of
// an error of the system.
var errWouldBlock = errors.New("tribes: would block")

// rxSocket is the socket of a connection as its reactor holds it.
type rxSocket interface {
	// write writes b, or as much as can be written at once together with
	// errWouldBlock. One goroutine at a time calls it.
	write(b []byte) (int, error)
	// awaitWrite makes the reactor call rxConn.writable when more can be written.
	// It is called after errWouldBlock.
	awaitWrite()
	// resume makes the reactor call fill again. It does not block.
	resume()
	// close cuts the connection. The reactor then calls rxConn.closed if writes can
	// stall, else endRead. Any goroutine may call it, more than once.
	close()
	// stopReading makes the reactor call endRead. It does not block.
	stopReading()
	// shrink makes the reactor call rxBuffer.shrink if the connection holds memory
	// while it is silent. It does not block.
	shrink()
	// relieve makes another goroutine go on reading, because the one that reads
	// has been delivering since rxConn.hereSince. Only a reactor that has set
	// rxConn.mayDeliver needs it. It does not block.
	relieve()
	// broken reports whether the other end has reset the connection, as far as
	// the system tells without reading.
	broken() bool
}

// What a connection waits for before it is read on; bits of rxConn.hold.
const (
	holdInbox  uint32 = 1 << iota // room in the inbox
	holdMemory                    // memory of the budget
	holdWrite                     // an answer that the other end does not read
)

// rxConn is one connection to a receiver. Its reactor reads with fill, from one
// goroutine at a time; a drainer that runs while the inbox is not empty
// delivers; both hand answers to flush.
//
//	socket ── fill ── parse ── inbox ── drain ── Deliver
//	   ▲                │                 │
//	   └───── flush ◄── acks ◄────────────┘
type rxConn struct {
	r       *Receiver
	sock    rxSocket
	from    netip.AddrPort
	secure  bool   // it speaks TLS
	drainer func() // c.drain; made once, so that starting it needs no memory

	// of the goroutine that reads
	buffer   rxBuffer
	source   *membership.Member // of the last frame
	numbered uint64             // frames with UseAck so far
	incoming *rxBatch           // of this read
	acks     []ackRecord        // of this read
	arrived  bool               // one of them is to be answered at once
	ended    bool               // endRead was called
	lastRead int64              // when bytes came last; 0 before the first

	keeps      int64        // bytes that a silent connection has with this reactor
	mayDeliver bool         // the reactor delivers on the goroutine that reads when here is set
	here       bool         // after fill: the drainer is to be run by the caller
	elsewhere  int          // so many times yet it is run by a worker
	relieved   atomic.Bool  // a delivery on the goroutine that reads took long
	hereSince  atomic.Int64 // since when that goroutine delivers; 0 if it does not

	ledger rxLedger
	passed rxPassed
	hold   atomic.Uint32
	queued atomic.Int64 // bytes in the inbox and in delivery
	watch  rxProgress

	// of the drainer
	sender dupCache

	slowNext, slowPrev *rxConn // in rxSlow, guarded by its mu

	mu        sync.Mutex
	inbox     *rxBatch // nil if empty
	draining  bool     // a drainer runs or is about to
	readEnded bool
	finished  bool
	answers   ackQueue
	out       []byte // memory for what is written
	rest      []byte // of out, when the socket takes no more
	writing   bool   // somebody writes; what is in answers is theirs to write
	dead      bool   // nothing is written any more

	reset     atomic.Bool  // frames that were not answered are not delivered
	unwritten atomic.Int64 // since when an answer to a delivery is not written; 0 if none is
	blocked   atomic.Int64 // since when a write is under way; 0 if none is
}

func newRxConn(r *Receiver, from netip.AddrPort) *rxConn {
	c := &rxConn{r: r, from: from}
	c.drainer = c.drain
	c.ledger.budget = r.budget
	c.ledger.resume = func() { c.release(holdMemory) }
	c.passed.ledger = &c.ledger
	c.answers.caps = r.env.Caps
	c.buffer = rxBuffer{pool: r.env.Pool, ledger: &c.ledger, passed: &c.passed, size: rxSmall}
	c.watch.begin(r.now())
	return c
}

// fill reads once, parses every whole frame, puts the messages into the inbox
// and answers those that are answered on arrival.
func (c *rxConn) fill(read func([]byte) (int, error)) rxNext {
	if c.ended {
		return readEnd
	}
	if c.hold.Load() != 0 {
		return readNot
	}
	room := c.buffer.room()
	if len(room) == 0 {
		c.hold.Or(holdMemory)
		if c.ledger.granted.Load() {
			c.release(holdMemory)
		}
		return readNot
	}
	n, err := read(room)
	if n > 0 {
		if c.waited() && c.sock.broken() {
			c.cut()
		}
		c.buffer.read(n, len(room))
		before := c.passed.parsed
		bad := c.parse()
		if c.watch.read(n, int(c.passed.parsed-before), c.buffer.start != c.buffer.end) {
			c.watch.touch(c.r.now())
		}
		c.hand()
		if bad != nil {
			c.reject(bad)
			return c.endRead()
		}
	}
	if err != nil && err != errWouldBlock {
		switch {
		case isReset(err):
			c.reset.Store(true)
		case err == io.EOF && c.buffer.start != c.buffer.end:
			c.r.reject(c.from, reasonCutShort)
		}
		return c.endRead()
	}
	if c.hold.Load() != 0 {
		return readNot
	}
	return readOn
}

// longWait is how long bytes may wait to be read, in nanoseconds, before it is
// worth a system call to ask whether their sender has given them up.
const longWait = int64(100 * time.Millisecond)

// waited reports whether the bytes just read may have waited for long: in the
// system's queue of new connections, or because this process did not run. A reset
// is read behind the bytes that came before it, and so too late for them.
func (c *rxConn) waited() bool {
	now := c.r.now()
	last := c.lastRead
	c.lastRead = now
	return last == 0 || now-last > longWait
}

// parse takes all whole frames off the buffer. The error means that the stream
// cannot be read on.
func (c *rxConn) parse() error {
	x := &c.buffer
	for x.start < x.end {
		data, size, err := message.Scan(x.unparsed(), c.r.cfg.MaxFrame)
		if err != nil {
			return err
		}
		if data == nil {
			x.want = size
			return nil
		}
		f, err := message.ParseFrame(data)
		if err != nil {
			return err
		}
		if c.source == nil || !c.source.Is(f.Sender) {
			source, err := f.DecodeSender()
			if err != nil {
				return err
			}
			c.source = source
		}
		c.take(&f, size)
		x.parsed(size)
	}
	return nil
}

// take makes a frame the next one of this read.
func (c *rxConn) take(f *message.Frame, size int) {
	if c.incoming == nil {
		c.incoming = c.r.newBatch()
	}
	c.r.markSecure(f, c.secure)
	e := rxEntry{m: c.r.env.Pool.FromFrame(f, c.source, c.buffer.chunk), size: size, oddID: len(f.ID) != len(message.ID{})}
	if f.Options.Acked() {
		c.numbered++
		e.number, e.sync = c.numbered, f.Options.SyncAcked()
		var rec ackRecord
		if !f.Options.Has(message.NumberedAcks) {
			rec |= ackPlain
		}
		if !e.sync {
			rec |= ackDone
			c.arrived = true
		}
		c.acks = append(c.acks, rec)
	}
	c.incoming.entries = append(c.incoming.entries, e)
	c.incoming.bytes += size + entryCost
}

// hand gives what one read has brought to the inbox.
func (c *rxConn) hand() {
	b := c.incoming
	if b == nil {
		return
	}
	c.incoming = nil
	c.r.count.frames.Add(uint64(len(b.entries)))
	queued := c.queued.Add(int64(b.bytes))
	c.mu.Lock()
	for _, rec := range c.acks {
		c.answers.push(rec)
	}
	start := !c.draining
	c.draining = true
	c.inbox = c.r.joinBatches(c.inbox, b)
	c.mu.Unlock()
	c.acks = c.acks[:0]
	if start {
		c.r.pending.Add(1)
	}
	if c.arrived {
		c.arrived = false
		c.flush()
	}
	if start {
		c.startDrainer()
	}
	if queued >= c.r.inboxFull {
		c.hold.Or(holdInbox)
		if c.queued.Load() <= c.r.inboxLow {
			c.release(holdInbox)
		}
	}
}

// elsewhereRuns is how many times the drainer is run by a worker after a
// delivery on the goroutine that reads took long.
const elsewhereRuns = 32

// startDrainer has the inbox drained, by the goroutine that reads if it may.
func (c *rxConn) startDrainer() {
	if c.relieved.Swap(false) {
		c.elsewhere = elsewhereRuns
	}
	if c.mayDeliver && c.elsewhere == 0 {
		c.here = true
		return
	}
	c.elsewhere = max(c.elsewhere-1, 0)
	c.r.workers.start(c)
}

// release ends one reason not to read. Any goroutine may call it.
func (c *rxConn) release(bit uint32) {
	if c.hold.And(^bit) == bit {
		c.watch.touch(c.r.now())
		c.sock.resume()
	}
}

// endRead says that nothing will be read any more. What is in the inbox is
// still delivered and answered. The reactor calls it, in line with fill.
func (c *rxConn) endRead() rxNext {
	if !c.ended {
		c.ended = true
		c.buffer.close()
		c.ledger.close()
		c.mu.Lock()
		c.readEnded = true
		c.mu.Unlock()
		c.tryFinish()
	}
	return readEnd
}

// cut ends the connection at once. Frames that were not answered are not
// delivered: their senders know that the connection is gone, and send them again
// elsewhere or report them.
func (c *rxConn) cut() {
	c.reset.Store(true)
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
	c.sock.close()
}

// tryFinish ends the connection if nothing is left to do on it.
func (c *rxConn) tryFinish() {
	c.mu.Lock()
	last := c.readEnded && !c.draining && !c.writing && !c.finished
	c.finished = c.finished || last
	c.mu.Unlock()
	if last {
		c.sock.close()
		c.r.forget(c)
	}
}
