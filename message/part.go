package message

// Part returns a message with the fields of m whose payload is the bytes from
// from up to to of the payload of m, in the same memory. It has one reference
// of its own, which the caller must release. It panics like a slice expression
// if the bounds are wrong.
func (m *Message) Part(from, to int) *Message {
	payload := m.payload[from:to:to]
	var p *Message
	if m.pool != nil {
		p = m.pool.message()
	} else {
		p = new(Message)
		p.refs.Store(1)
	}
	if m.buf != nil {
		m.buf.Retain()
		p.buf = m.buf
	}
	p.header(m)
	p.payload = payload
	return p
}
