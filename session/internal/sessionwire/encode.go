package sessionwire

import (
	"encoding/binary"
	"time"

	"github.com/gotribes/tribes/internal/bytediff"
	"github.com/gotribes/tribes/session/internal/record"
)

// Append appends a message to b. The message is borrowed; lists in it must be in the
// order that their types ask for, and what [Decode] would refuse must not be in it.
//
// An attribute that comes with a base travels as the difference from it, if that takes
// less than half the bytes.
func Append(b []byte, m Message) []byte {
	e := encoder{b: append(b, Version, byte(m.Kind()))}
	e.nodes = e.few[:0]
	m.append(&e)
	return e.b
}

// encoder appends fields.
type encoder struct {
	b     []byte
	nodes []record.Node // those that the message has named, in that order
	index map[record.Node]int
	few   [8]record.Node
}

// manyNodes is from how many nodes on a map is faster.
const manyNodes = 16

func (e *encoder) byte(v byte)      { e.b = append(e.b, v) }
func (e *encoder) uvarint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) varint(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) uint64(v uint64)  { e.b = binary.BigEndian.AppendUint64(e.b, v) }
func (e *encoder) key(k record.Key) { e.b = append(e.b, k[:]...) }

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *encoder) bytes(p []byte) {
	e.uvarint(uint64(len(p)))
	e.b = append(e.b, p...)
}

func (e *encoder) string(s string) {
	e.uvarint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// node names a node: by its place among those named before, or by the next place and
// its ID.
func (e *encoder) node(n record.Node) {
	at, known := e.find(n)
	e.uvarint(uint64(at))
	if known {
		return
	}
	id := n.ID()
	e.b = append(e.b, id[:]...)
	if e.index != nil {
		e.index[n] = at
	}
	e.nodes = append(e.nodes, n)
}

func (e *encoder) find(n record.Node) (int, bool) {
	if len(e.nodes) >= manyNodes {
		if e.index == nil {
			e.index = make(map[record.Node]int)
			for i, n := range e.nodes {
				e.index[n] = i
			}
		}
		if at, known := e.index[n]; known {
			return at, true
		}
		return len(e.nodes), false
	}
	for i, o := range e.nodes {
		if o == n {
			return i, true
		}
	}
	return len(e.nodes), false
}

// version writes the counter and, unless it is 0, the node.
func (e *encoder) version(v record.Version) {
	e.uvarint(v.Counter)
	if v.Counter > 0 {
		e.node(v.Node)
	}
}

// remaining writes milliseconds plus one, rounded up; 0 is never.
func (e *encoder) remaining(d time.Duration) {
	if d == record.Never {
		e.uvarint(0)
		return
	}
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	e.uvarint(uint64(min(ms, longest)) + 1)
}

// longest is the longest time that can be told.
const longest = record.Never / time.Millisecond

func (m *Hello) append(e *encoder) {
	e.byte(m.MinVersion)
	e.byte(m.MaxVersion)
	e.byte(byte(m.State))
	e.string(m.Manager)
	e.string(m.Codec)
	e.string(m.Route)
}

func (m *Bye) append(e *encoder) { e.bool(m.Draining) }

func (m *Change) append(e *encoder) {
	e.key(m.Key)
	e.node(m.Origin)
	e.uvarint(m.From)
	e.uvarint(m.To - m.From)
	e.parts(&m.Parts)
}

func (m *Touches) append(e *encoder) {
	e.uvarint(uint64(len(m.Sessions)))
	for _, t := range m.Sessions {
		e.key(t.Key)
		e.version(t.Version)
		e.remaining(t.Remaining)
	}
}

func (m *Ends) append(e *encoder) {
	e.uvarint(uint64(len(m.Sessions)))
	for _, s := range m.Sessions {
		e.key(s.Key)
		e.end(s.End)
	}
}

func (m *StateRequest) append(e *encoder) {
	e.uvarint(m.Request)
	e.key(m.From)
	e.uvarint(uint64(m.Sessions))
	e.uvarint(uint64(m.Bytes))
}

func (m *StateBlock) append(e *encoder) {
	e.uvarint(m.Request)
	e.uvarint(uint64(m.Index))
	e.bool(m.Last)
	e.uvarint(uint64(len(m.Sessions)))
	for i := range m.Sessions {
		e.snapshot(&m.Sessions[i])
	}
}

func (m *Buckets) append(e *encoder) {
	e.uvarint(m.Request)
	e.bool(m.Answer)
	e.uvarint(m.Sessions)
	for _, sum := range m.Sums {
		e.uint64(sum)
	}
}

func (m *Digests) append(e *encoder) {
	e.uvarint(m.Request)
	e.byte(m.Bucket)
	e.uvarint(uint64(len(m.Sessions)))
	for _, s := range m.Sessions {
		e.key(s.Key)
		e.uint64(s.Sum)
	}
}

func (m *Fetch) append(e *encoder) {
	e.uvarint(m.Request)
	e.uvarint(uint64(len(m.Keys)))
	for _, k := range m.Keys {
		e.key(k)
	}
}

// The flags of parts.
const (
	hasAttributes = 1 << iota
	hasIDs
	hasTimeout
	hasPrincipal
	hasTouch
	hasEnd
	allParts = 1<<iota - 1
)

func partsOf(p *record.Parts) (flags byte) {
	for _, f := range []struct {
		has  bool
		flag byte
	}{
		{len(p.Attributes) > 0, hasAttributes},
		{len(p.IDs) > 0, hasIDs},
		{!p.Timeout.Version.IsZero(), hasTimeout},
		{!p.Principal.Version.IsZero(), hasPrincipal},
		{!p.Touch.Version.IsZero(), hasTouch},
		{!p.End.Version.IsZero(), hasEnd},
	} {
		if f.has {
			flags |= f.flag
		}
	}
	return flags
}

func (e *encoder) parts(p *record.Parts) {
	flags := partsOf(p)
	e.byte(flags)
	if flags&hasAttributes != 0 {
		e.uvarint(uint64(len(p.Attributes)))
		for i := range p.Attributes {
			e.attribute(&p.Attributes[i])
		}
	}
	if flags&hasIDs != 0 {
		e.uvarint(uint64(len(p.IDs)))
		for _, id := range p.IDs {
			e.version(id.Version)
			e.string(id.Text)
		}
	}
	if flags&hasTimeout != 0 {
		e.version(p.Timeout.Version)
		e.uvarint(uint64(p.Timeout.After / time.Millisecond))
	}
	if flags&hasPrincipal != 0 {
		e.version(p.Principal.Version)
		e.bytes(p.Principal.Value)
	}
	if flags&hasTouch != 0 {
		e.version(p.Touch.Version)
		e.remaining(p.Touch.Remaining)
	}
	if flags&hasEnd != 0 {
		e.end(p.End)
	}
}

func (e *encoder) end(end record.End) {
	e.version(end.Version)
	e.byte(byte(end.Reason))
}

func (e *encoder) snapshot(sn *record.Snapshot) {
	e.key(sn.Key)
	e.uvarint(uint64(len(sn.Marks)))
	for _, m := range sn.Marks {
		e.node(m.Node)
		e.uvarint(m.Counter)
	}
	e.parts(&sn.Parts)
}

// hasShares is the flag beside the kind of an attribute.
const hasShares = 4

func (e *encoder) attribute(a *record.Attribute) {
	kind, diff := byte(a.Kind), []byte(nil)
	if a.Kind == record.Bytes && a.Base.Value != nil {
		var ok bool
		if diff, ok = bytediff.Append(nil, a.Base.Value, a.Value, len(a.Value)/2-diffCost); ok {
			kind = byte(record.Diff)
		}
	}
	e.string(a.Name)
	if len(a.Shares) > 0 {
		e.byte(kind | hasShares)
	} else {
		e.byte(kind)
	}
	e.version(a.Version)
	switch {
	case a.Kind == record.Diff:
		e.diff(a.Base.Version, a.Size, a.Sum, a.Value)
	case kind == byte(record.Diff):
		e.diff(a.Base.Version, len(a.Value), record.Checksum(a.Value), diff)
	case a.Kind == record.Bytes:
		e.bytes(a.Value)
	case a.Kind == record.Number:
		e.varint(a.Start)
	}
	if len(a.Shares) > 0 {
		e.shares(a.Shares)
	}
}

// diffCost is about what a difference takes besides its steps.
const diffCost = 16

func (e *encoder) diff(base record.Version, size int, sum uint32, steps []byte) {
	e.version(base)
	e.uvarint(uint64(size))
	e.b = binary.BigEndian.AppendUint32(e.b, sum)
	e.bytes(steps)
}

func (e *encoder) shares(shares []record.Share) {
	e.uvarint(uint64(len(shares)))
	for _, sh := range shares {
		e.node(sh.Node)
		e.uvarint(sh.Counter)
		e.varint(sh.Sum)
	}
}
