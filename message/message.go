package message

import (
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
)

// tailRoom is what a fresh message keeps free behind its payload, so that
// layers can append their trailers in place.
const tailRoom = 32

// Message is one message on its way through a stack.
//
// It has a counted life: whoever makes it holds one reference. A function that
// is handed a message borrows it until it returns; to keep it longer it calls
// Retain (and Release later), or Clone for a private copy that may be kept for
// ever. On its way down a message belongs to the call: each layer may change it
// in place before it calls the layer below, and must not touch it afterwards,
// because the layers below may have kept it. A layer that sends one message
// more than once makes a Copy for each call but the last.
//
// Retain, Release and what only reads may be called at the same time by all who
// hold the message; what changes it is for one of them alone.
type Message struct {
	ID      ID
	Source  *membership.Member // who sent it
	Sent    int64              // the sender's clock, milliseconds since 1970
	Options Options

	mark    *Mark  // what the message has passed
	foreign bool   // the id did not come with 16 bytes
	wireID  string // then this is how it came
	payload []byte
	buf     *Buffer // memory behind payload, nil if it is the message's own
	pool    *Pool   // nil for a clone
	refs    atomic.Int32
}

// New returns a message with a payload of size arbitrary bytes and room behind
// it, one reference, and all other fields zero.
func (p *Pool) New(size int) *Message {
	b := p.Get(size + tailRoom)
	m := p.message()
	m.buf = b
	m.payload = b.b[:size:cap(b.b)]
	return m
}

func (p *Pool) message() *Message {
	liveMessages.add(1)
	m, ok := p.messages.Get().(*Message)
	if !ok {
		m = new(Message)
	}
	m.pool = p
	m.refs.Store(1)
	return m
}

// Payload returns the message's bytes. They are borrowed: valid until the
// function that was handed the message returns, or until Release.
func (m *Message) Payload() []byte { return m.payload }

// Len is the length of the payload in bytes.
func (m *Message) Len() int { return len(m.payload) }

// SentTime returns Sent as a time.
func (m *Message) SentTime() time.Time { return time.UnixMilli(m.Sent) }

// WireID returns the bytes of the message id as they travel: those of ID, or
// what came from a foreign node if that had another length than 16.
func (m *Message) WireID() string {
	if m.foreign {
		return m.wireID
	}
	return string(m.ID[:])
}

func (m *Message) wireIDLen() int {
	if m.foreign {
		return len(m.wireID)
	}
	return len(m.ID)
}

// header gives m the fields of o that are not its payload.
func (m *Message) header(o *Message) {
	m.ID, m.Source, m.Sent, m.Options = o.ID, o.Source, o.Sent, o.Options
	m.foreign, m.wireID, m.mark = o.foreign, o.wireID, o.mark
}

// Extend appends n bytes of arbitrary content to the payload and returns them.
// Bytes that others see are never touched: where there is no room, or the memory
// is shared, the payload moves.
func (m *Message) Extend(n int) []byte {
	size := len(m.payload)
	if cap(m.payload)-size < n || m.buf != nil && m.buf.Shared() {
		m.move(size + n)
	}
	m.payload = m.payload[: size+n : cap(m.payload)]
	return m.payload[size:]
}

// move copies the payload to memory with room for size bytes and more.
func (m *Message) move(size int) {
	old := m.payload
	if m.pool == nil {
		m.payload = append(make([]byte, 0, size+tailRoom), old...)
		m.drop()
		return
	}
	b := m.pool.Get(size + tailRoom)
	n := copy(b.b, old)
	m.SetPayload(b)
	m.payload = m.payload[:n]
}

// drop releases the memory behind the payload.
func (m *Message) drop() {
	if m.buf != nil {
		m.buf.Release()
		m.buf = nil
	}
}

// Trim cuts n bytes off the end of the payload and returns them; it returns nil
// and cuts nothing if the payload is shorter.
func (m *Message) Trim(n int) []byte {
	keep := len(m.payload) - n
	if n < 0 || keep < 0 {
		return nil
	}
	tail := m.payload[keep:]
	m.payload = m.payload[:keep]
	if m.buf == nil {
		m.payload = m.payload[:keep:keep] // nobody counts who else sees the tail
	}
	return tail
}

// Skip cuts n bytes off the front of the payload and returns them; it returns nil
// and cuts nothing if the payload is shorter.
func (m *Message) Skip(n int) []byte {
	if n < 0 || n > len(m.payload) {
		return nil
	}
	head := m.payload[:n:n]
	m.payload = m.payload[n:]
	return head
}

// SetPayload makes the bytes of b the payload and takes over the caller's
// reference to b; the old payload is released. A clone that was given a payload
// in this way must be released.
func (m *Message) SetPayload(b *Buffer) {
	m.drop()
	m.buf = b
	m.payload = b.b
}

// Retain adds a reference. Only who has one, or borrows the message, may add
// one; after the last Release it panics.
func (m *Message) Retain() {
	if m.refs.Add(1) <= 1 {
		panic("tribes: message: message retained after its release")
	}
}

// Release drops a reference. With the last one the message and its memory go
// back to where they came from. A Release too many panics.
func (m *Message) Release() {
	switch n := m.refs.Add(-1); {
	case n < 0:
		panic("tribes: message: message released twice")
	case n > 0:
		return
	}
	m.drop()
	p := m.pool
	if p == nil {
		return
	}
	m.header(&blank)
	m.payload, m.pool = nil, nil
	liveMessages.add(-1)
	p.messages.Put(m)
}

var blank Message

// Copy returns a message with the same fields and a payload of its own from the
// pool, with one reference that the caller must release.
func (m *Message) Copy() *Message {
	if m.pool == nil {
		return m.Clone()
	}
	c := m.pool.New(len(m.payload))
	copy(c.payload, m.payload)
	c.header(m)
	return c
}

// Fork returns a message with the same fields and b as its payload, with one
// reference that the caller must release. It takes over the caller's reference to
// b, and leaves m as it is.
func (m *Message) Fork(b *Buffer) *Message {
	var f *Message
	if m.pool != nil {
		f = m.pool.message()
	} else {
		f = new(Message)
		f.refs.Store(1)
	}
	f.header(m)
	f.SetPayload(b)
	return f
}

// Clone returns a private copy in memory of its own, which may be kept for ever
// and need not be released.
func (m *Message) Clone() *Message {
	c := new(Message)
	c.header(m)
	c.payload = append(make([]byte, 0, len(m.payload)), m.payload...)
	c.refs.Store(1)
	return c
}
