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
type Message struct {
	ID      ID
	Source  *membership.Member // who sent it
	Sent    int64              // the sender's clock, milliseconds since 1970
	Options Options

	wireID  string // id as it came, if it did not have 16 bytes
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
	if m.wireID != "" {
		return m.wireID
	}
	return string(m.ID[:])
}

func (m *Message) wireIDLen() int {
	if m.wireID != "" {
		return len(m.wireID)
	}
	return len(m.ID)
}

// Extend appends n bytes of arbitrary content to the payload and returns them.
// Bytes beyond the payload that belong to others are never touched: where there
// is no room the payload moves.
func (m *Message) Extend(n int) []byte {
	size := len(m.payload)
	if cap(m.payload)-size < n {
		m.move(size + n)
	}
	m.payload = m.payload[: size+n : cap(m.payload)]
	return m.payload[size:]
}

func (m *Message) move(size int) {
	if m.pool == nil {
		m.payload = append(make([]byte, 0, size+tailRoom), m.payload...)
		return
	}
	b := m.pool.Get(size + tailRoom)
	n := copy(b.b, m.payload)
	m.SetPayload(b)
	m.payload = m.payload[:n]
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
	return tail
}

// SetPayload makes the bytes of b the payload and takes over the caller's
// reference to b; the old payload is released.
func (m *Message) SetPayload(b *Buffer) {
	if m.buf != nil {
		m.buf.Release()
	}
	m.buf = b
	m.payload = b.b
}

// Retain adds a reference.
func (m *Message) Retain() { m.refs.Add(1) }

// Release drops a reference. With the last one the message and its memory go
// back to where they came from. A Release too many panics.
func (m *Message) Release() {
	switch n := m.refs.Add(-1); {
	case n < 0:
		panic("tribes: message: message released twice")
	case n > 0 || m.pool == nil:
		return
	}
	if m.buf != nil {
		m.buf.Release()
	}
	p := m.pool
	m.ID, m.Source, m.Sent, m.Options = ID{}, nil, 0, 0
	m.wireID, m.payload, m.buf, m.pool = "", nil, nil, nil
	liveMessages.add(-1)
	p.messages.Put(m)
}

// Copy returns a message with the same fields and a payload of its own from the
// pool, with one reference that the caller must release.
func (m *Message) Copy() *Message {
	if m.pool == nil {
		return m.Clone()
	}
	c := m.pool.New(len(m.payload))
	copy(c.payload, m.payload)
	c.ID, c.Source, c.Sent, c.Options, c.wireID = m.ID, m.Source, m.Sent, m.Options, m.wireID
	return c
}

// Clone returns a private copy in memory of its own, which may be kept for ever
// and need not be released.
func (m *Message) Clone() *Message {
	c := &Message{ID: m.ID, Source: m.Source, Sent: m.Sent, Options: m.Options, wireID: m.wireID}
	c.payload = append(make([]byte, 0, len(m.payload)), m.payload...)
	c.refs.Store(1)
	return c
}
