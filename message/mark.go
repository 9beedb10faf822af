package message

// Mark is a sign that its owner sets on messages and that nobody else can: who
// has no pointer to the Mark can neither set it nor make a message that looks as
// if it had it. A layer that guards what passes it keeps one in an unexported
// field. The zero Mark is ready; it must not be copied.
//
// A message has one mark at a time. Messages that arrive or are made new have
// none, a Copy, Clone or Fork has that of its original, and one that is put
// together from several gets it by [Message.InheritMark].
type Mark struct {
	_ [1]byte // so that no two have the same address
}

// Set puts k on m, in place of any other mark.
func (k *Mark) Set(m *Message) { m.mark = k }

// On reports whether m has k.
func (k *Mark) On(m *Message) bool { return m.mark == k }

// Seal says which mark a message has, so that seals can be compared; it cannot be used
// to set it. The zero Seal is that of messages without a mark.
type Seal struct{ mark *Mark }

// Seal returns the seal of m.
func (m *Message) Seal() Seal { return Seal{m.mark} }

// InheritMark gives m the mark that all of parts have, and none if one of them
// differs or there are no parts. It is for layers that put a message together
// from others, which calls it for each part: m may be one of parts.
func (m *Message) InheritMark(parts ...*Message) {
	var k *Mark
	for i, p := range parts {
		if i > 0 && p.mark != k {
			k = nil
			break
		}
		k = p.mark
	}
	m.mark = k
}
