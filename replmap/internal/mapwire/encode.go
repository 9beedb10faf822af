package mapwire

import (
	"encoding/binary"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

// Append appends a message to b. The message is borrowed; what [Decode] would refuse must
// not be in it.
func Append(b []byte, m Message) []byte {
	at := len(b)
	e := encoder{b: append(b, Version, byte(m.Kind()))}
	m.append(&e)
	if e.newer {
		e.b[at] = MaxVersion
	}
	return e.b
}

// encoder appends fields.
type encoder struct {
	b     []byte
	newer bool                  // there is something that Version does not have
	nodes map[membership.ID]int // those that the message has named
}

func (e *encoder) byte(v byte)      { e.b = append(e.b, v) }
func (e *encoder) uvarint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) uint64(v uint64)  { e.b = binary.BigEndian.AppendUint64(e.b, v) }

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

func (e *encoder) version(v entry.Version) {
	e.uvarint(v.Counter)
	at, known := e.nodes[v.Node]
	if !known {
		at = len(e.nodes)
	}
	e.uvarint(uint64(at))
	if known {
		return
	}
	if e.nodes == nil {
		e.nodes = make(map[membership.ID]int)
	}
	e.nodes[v.Node] = at
	e.b = append(e.b, v.Node[:]...)
}

func (e *encoder) lifetime(d time.Duration) {
	e.uvarint(uint64((d+time.Millisecond-1)/time.Millisecond) + 1)
}

func (e *encoder) place(p entry.Place) {
	e.uvarint(uint64(p.Bucket))
	e.bool(p.Begun)
	if p.Begun {
		e.string(p.After)
	}
}

// Flags of an entry.
const (
	flagGone = 1 << iota
	flagLifetime
	flagMarks
	flagProxy
	flagPlaced
	flagDiff // version 2
)

// Flags of a hello.
const (
	flagResolves = 1 << iota
	flagKnown
)

// state writes an entry up to its version.
func (e *encoder) state(x *entry.Entry, more byte) {
	e.string(x.Key)
	flags := more
	if x.Gone {
		flags |= flagGone
	}
	if x.Lifetime >= 0 {
		flags |= flagLifetime
	}
	if x.Diff != nil {
		flags |= flagDiff
	}
	e.byte(flags)
	switch {
	case x.Gone:
	case x.Proxy:
		e.uint64(x.Sum)
	case x.Diff != nil:
		e.diff(x.Diff, x.Sum)
	default:
		e.bytes(x.Value)
	}
	if x.Lifetime >= 0 {
		e.lifetime(x.Lifetime)
	}
}

func (e *encoder) diff(d *entry.Diff, sum uint64) {
	e.newer = true
	e.version(d.Base)
	e.uint64(d.BaseSum)
	e.uvarint(uint64(d.Size))
	e.uint64(sum)
	e.bytes(d.Steps)
}

func (e *encoder) entry(x *entry.Entry) {
	more := byte(0)
	if len(x.Marks) > 0 {
		more |= flagMarks
	}
	switch {
	case x.Gone:
	case x.Proxy:
		more |= flagProxy
	case x.Placed:
		more |= flagPlaced
	}
	e.state(x, more)
	e.version(x.Version)
	if len(x.Marks) == 0 {
		return
	}
	e.uvarint(uint64(len(x.Marks)))
	for _, m := range x.Marks {
		e.version(m)
	}
}

func (e *encoder) entries(all []entry.Entry) {
	e.uvarint(uint64(len(all)))
	for i := range all {
		e.entry(&all[i])
	}
}

func (m *Hello) append(e *encoder) {
	e.byte(m.MinVersion)
	e.byte(m.MaxVersion)
	e.string(m.Map)
	e.string(m.Codecs)
	flags := byte(0)
	if m.Resolves {
		flags |= flagResolves
	}
	if m.Known {
		flags |= flagKnown
	}
	e.byte(flags)
	e.byte(byte(m.State))
}

func (*Bye) append(*encoder) {}

func (m *Change) append(e *encoder) { e.entries(m.Entries) }

func (m *Request) append(e *encoder) {
	e.uvarint(m.Request)
	e.place(m.From)
	e.uvarint(uint64(m.Entries))
	e.uvarint(uint64(m.Bytes))
}

func (m *Block) append(e *encoder) {
	e.uvarint(m.Request)
	e.place(m.Next)
	e.entries(m.Entries)
}

func (m *Buckets) append(e *encoder) {
	e.uvarint(m.Request)
	e.bool(m.Answer)
	e.uvarint(m.Entries)
	for _, s := range m.Sums {
		e.uint64(s)
	}
}

func (m *Digests) append(e *encoder) {
	e.uvarint(m.Request)
	e.byte(m.Bucket)
	e.uvarint(uint64(len(m.Entries)))
	for i := range m.Entries {
		d := &m.Entries[i]
		e.string(d.Key)
		e.version(d.Version)
		e.uint64(d.Sum)
	}
}

func (m *Fetch) append(e *encoder) {
	e.uvarint(m.Request)
	e.uvarint(uint64(len(m.Keys)))
	for _, k := range m.Keys {
		e.string(k)
	}
}

func (m *Done) append(e *encoder) { e.uvarint(m.Request) }

func (m *Write) append(e *encoder) {
	e.uvarint(m.Request)
	condition := byte(m.Condition)
	if m.Has != nil {
		condition |= hasState
		e.newer = true
	}
	e.byte(condition)
	e.state(&m.Entry, 0)
	switch m.Condition {
	case IfVersion:
		e.version(m.Version)
	case IfValue:
		e.bytes(m.Value)
	}
	if m.Has != nil {
		e.version(m.Has.Version)
		e.uint64(m.Has.Sum)
	}
}

// hasState is the flag beside the condition of a write.
const hasState = 8

func (m *Written) append(e *encoder) {
	e.uvarint(m.Request)
	e.byte(byte(m.Outcome))
	e.newer = e.newer || m.Outcome >= Lacks
	e.string(m.Error)
	e.bool(m.Entry != nil)
	if m.Entry != nil {
		e.entry(m.Entry)
	}
}

func (m *Ask) append(e *encoder) {
	e.uvarint(m.Request)
	e.uvarint(uint64(m.Bytes))
	e.uvarint(uint64(len(m.Keys)))
	for _, k := range m.Keys {
		e.string(k)
	}
}

func (m *Values) append(e *encoder) {
	e.uvarint(m.Request)
	e.uvarint(uint64(m.Keys))
	e.entries(m.Entries)
}

func (m *Check) append(e *encoder) {
	e.uvarint(m.Request)
	e.uvarint(uint64(len(m.States)))
	for i := range m.States {
		s := &m.States[i]
		e.string(s.Key)
		e.version(s.Version)
		e.uint64(s.Sum)
	}
}

func (m *Checked) append(e *encoder) {
	e.uvarint(m.Request)
	e.uvarint(uint64(len(m.Has)))
	for _, h := range m.Has {
		e.byte(byte(h))
	}
}
