package nio

import (
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// inlineMax is the largest frame, in bytes, that is copied when it is queued.
// The payload of a larger one is retained and written from where it is.
const inlineMax = 16 << 10

// chunkSize is the size of the memory that frames are copied into.
const chunkSize = 32 << 10

// chunk is memory for the frames of one peer, filled from the front. It is
// guarded by the peer's mu; what lies before used is not changed until the last
// frame in it is recycled.
type chunk struct {
	buf  *message.Buffer
	used int
	refs int // frames in it, and one while it is being filled
}

// frame is one message on its way to one member. It is guarded by the peer's
// mu, except that the link that is writing it may read what lies in chunk.
type frame struct {
	next *frame // in the queue or in the batch of a link, one at a time

	chunk    *chunk
	from, to int              // its bytes in chunk, without the payload if big is set
	split    int              // where in chunk the payload of big goes
	big      *message.Message // retained; nil if the payload lies in chunk
	size     int              // bytes of the whole frame

	receipt *message.Receipt
	member  *membership.Member
	id      message.ID
	acked   bool

	queued   int64 // when it was accepted
	deadline int64 // when the wait for the answer ends; 0 before it was written
	written  int64 // when it was last written
	copies   int   // how often it was written completely
	tries    int   // failed connections that count against Retries
	begun    bool  // a byte of it may have left
	writing  bool  // it is in the batch of a link
	settled  bool  // the answer came while it was still being written
}

// frameList is a queue of frames linked by next.
type frameList struct {
	first, last *frame
	len         int
	bytes       int
	acked       int // how many of them are to be answered
}

func (q *frameList) push(f *frame) {
	f.next = nil
	if q.last == nil {
		q.first = f
	} else {
		q.last.next = f
	}
	q.last = f
	q.count(f, 1)
}

func (q *frameList) pop() *frame {
	f := q.first
	if f == nil {
		return nil
	}
	q.first = f.next
	if q.first == nil {
		q.last = nil
	}
	f.next = nil
	q.count(f, -1)
	return f
}

// prepend puts the frames of l before those of q and leaves l empty.
func (q *frameList) prepend(l *frameList) {
	if l.first == nil {
		return
	}
	l.last.next = q.first
	if q.last == nil {
		q.last = l.last
	}
	q.first = l.first
	q.len += l.len
	q.bytes += l.bytes
	q.acked += l.acked
	*l = frameList{}
}

// filter removes the frames for which drop returns true; drop may recycle them.
func (q *frameList) filter(drop func(*frame) bool) {
	all := *q
	*q = frameList{}
	for f := all.pop(); f != nil; f = all.pop() {
		if !drop(f) {
			q.push(f)
		}
	}
}

func (q *frameList) count(f *frame, n int) {
	q.len += n
	q.bytes += n * f.size
	if f.acked {
		q.acked += n
	}
}

// store makes frames from what is sent and takes them back. It belongs to a
// peer and is guarded by its mu.
type store struct {
	pool   *message.Pool
	fill   *chunk // where the next frame goes
	spare  []*chunk
	free   *frame // recycled frames, linked by next
	frees  int
	closed bool // nothing is kept any more
}

// What a store keeps for reuse: so many empty chunks and recycled frames.
const (
	spareChunks = 2
	spareFrames = 4096
)

// outgoing is what the frames of one send have in common, except their head:
// that is encoded once, on the stack of the caller, and copied into the frame of
// each destination.
type outgoing struct {
	m       *message.Message
	receipt *message.Receipt
	size    int
	acked   bool
	secure  bool
	now     int64
}

// frame makes the frame of o to m, which begins with head.
func (s *store) frame(o *outgoing, head []byte, m *membership.Member) *frame {
	f := s.free
	if f == nil {
		f = new(frame)
	} else {
		s.free = f.next
		s.frees--
	}
	*f = frame{size: o.size, receipt: o.receipt, member: m, id: o.m.ID, acked: o.acked, queued: o.now}
	copied := o.size
	if o.size > inlineMax {
		o.m.Retain()
		f.big = o.m
		copied -= o.m.Len()
	}
	f.chunk = s.room(copied)
	f.chunk.refs++
	f.from = f.chunk.used
	b := append(f.chunk.buf.Bytes()[:f.from], head...)
	f.split = len(b)
	if f.big == nil {
		b = append(b, o.m.Payload()...)
	}
	b = message.AppendEnd(b)
	f.to = len(b)
	f.chunk.used = f.to
	return f
}

// room returns a chunk with room for n bytes and makes it the one to fill.
func (s *store) room(n int) *chunk {
	if s.fill != nil && len(s.fill.buf.Bytes())-s.fill.used >= n {
		return s.fill
	}
	if s.fill != nil {
		s.drop(s.fill)
	}
	if last := len(s.spare) - 1; last >= 0 && n <= chunkSize {
		s.fill = s.spare[last]
		s.spare = s.spare[:last]
	} else {
		s.fill = &chunk{buf: s.pool.Get(max(n, chunkSize))}
	}
	s.fill.refs = 1
	return s.fill
}

// recycle takes back a frame that is settled and that nobody writes.
func (s *store) recycle(f *frame) {
	if f.big != nil {
		f.big.Release()
	}
	s.drop(f.chunk)
	*f = frame{}
	if s.frees < spareFrames && !s.closed {
		f.next = s.free
		s.free = f
		s.frees++
	}
}

// drop drops a reference to c. A chunk that is being filled begins anew when it
// has no more frames; another one is kept or given back.
func (s *store) drop(c *chunk) {
	c.refs--
	switch {
	case c.refs == 1 && c == s.fill:
		c.used = 0
	case c.refs > 0:
	case !s.closed && len(s.spare) < spareChunks && len(c.buf.Bytes()) == chunkSize:
		c.used = 0
		s.spare = append(s.spare, c)
	default:
		c.buf.Release()
	}
}

// close gives back all memory that no frame is in; the rest follows with the
// frames.
func (s *store) close() {
	s.closed = true
	if s.fill != nil {
		fill := s.fill
		s.fill = nil
		s.drop(fill)
	}
	for _, c := range s.spare {
		c.buf.Release()
	}
	s.spare, s.free, s.frees = nil, nil, 0
}
