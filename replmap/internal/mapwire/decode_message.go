package mapwire

import (
	"math"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

func (m *Hello) decode(d *decoder) {
	at := d.Offset()
	m.MinVersion, m.MaxVersion = d.Uint8(), d.Uint8()
	if m.MinVersion == 0 || m.MinVersion > m.MaxVersion {
		d.Fail(wire.BadNumber, at)
	}
	m.Map, m.Codecs = d.string(), d.string()
	flags := d.within(flagResolves | flagKnown)
	m.Resolves, m.Known = flags&flagResolves != 0, flags&flagKnown != 0
	m.State = State(d.within(uint8(Ready)))
}

func (*Bye) decode(*decoder) {}

func (m *Change) decode(d *decoder) { m.Entries = d.entries(anyFlag | flagDiff) }

func (m *Request) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.From = d.place()
	m.Entries, m.Bytes = uint32(d.atMost(math.MaxUint32)), uint32(d.atMost(math.MaxUint32))
}

func (m *Block) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.Next = d.place()
	m.Entries = d.entries(anyFlag)
}

func (m *Buckets) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.Answer = d.bool()
	m.Entries = d.Uvarint()
	for i := range m.Sums {
		m.Sums[i] = d.Uint64()
	}
}

func (m *Digests) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.Bucket = d.Uint8()
	for range d.count(leastDigest) {
		x := entry.Digest{Key: d.string(), Version: d.version(), Sum: d.Uint64()}
		if d.failed() {
			return
		}
		m.Entries = append(m.Entries, x)
	}
}

func (m *Fetch) decode(d *decoder) {
	m.Request = d.Uvarint()
	for range d.count(leastKey) {
		k := d.string()
		if d.failed() {
			return
		}
		m.Keys = append(m.Keys, k)
	}
}

func (m *Done) decode(d *decoder) { m.Request = d.Uvarint() }

func (m *Write) decode(d *decoder) {
	m.Request = d.Uvarint()
	at := d.Offset()
	condition := d.Uint8()
	m.Condition = Condition(condition &^ hasState)
	if m.Condition == 0 || m.Condition > IfValue {
		d.Fail(wire.BadNumber, at)
	}
	m.Entry, _ = d.state(flagGone | flagLifetime | flagDiff)
	switch m.Condition {
	case IfVersion:
		m.Version = d.version()
	case IfValue:
		m.Value = d.bytes()
	}
	if condition&hasState != 0 {
		d.newer = true
		m.Has = &entry.State{Key: m.Entry.Key, Version: d.version(), Sum: d.Uint64()}
	}
}

func (m *Written) decode(d *decoder) {
	m.Request = d.Uvarint()
	at := d.Offset()
	m.Outcome = Outcome(d.within(uint8(NoHolder)))
	if m.Outcome == 0 {
		d.Fail(wire.BadNumber, at)
	}
	d.newer = m.Outcome >= Lacks
	m.Error = d.string()
	if d.bool() {
		e := d.entry(anyFlag | flagDiff)
		m.Entry = &e
	}
}

func (m *Ask) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.Bytes = uint32(d.atMost(math.MaxUint32))
	for range d.count(leastKey) {
		k := d.string()
		if d.failed() {
			return
		}
		m.Keys = append(m.Keys, k)
	}
}

func (m *Values) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.Keys = uint32(d.atMost(math.MaxUint32))
	m.Entries = d.entries(anyFlag)
}

func (m *Check) decode(d *decoder) {
	m.Request = d.Uvarint()
	for range d.count(leastDigest) {
		s := entry.State{Key: d.string(), Version: d.version(), Sum: d.Uint64()}
		if d.failed() {
			return
		}
		m.States = append(m.States, s)
	}
}

func (m *Checked) decode(d *decoder) {
	m.Request = d.Uvarint()
	for range d.count(leastHas) {
		h := Has(d.within(uint8(Holds)))
		if d.failed() {
			return
		}
		m.Has = append(m.Has, h)
	}
}
