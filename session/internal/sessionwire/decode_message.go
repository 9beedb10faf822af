package sessionwire

import (
	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/session/internal/record"
)

// The least bytes that items of lists take.
const (
	keySize     = 16
	minTouch    = keySize + 3
	minEnd      = keySize + 3
	minSnapshot = keySize + 2
	minDigest   = keySize + 8
)

func (m *Hello) decode(d *decoder) {
	at := d.Offset()
	m.MinVersion, m.MaxVersion = d.Uint8(), d.Uint8()
	if m.MinVersion == 0 || m.MaxVersion < m.MinVersion {
		d.Fail(wire.BadNumber, at)
	}
	at = d.Offset()
	m.State = State(d.Uint8())
	if m.State > Ready {
		d.Fail(wire.BadNumber, at)
	}
	m.Manager = string(d.bytes())
	m.Codec = string(d.bytes())
	m.Route = string(d.bytes())
}

func (m *Bye) decode(d *decoder) { m.Draining = d.bool() }

func (m *Change) decode(d *decoder) {
	m.Key = d.key()
	m.Origin = d.node()
	m.From = d.Uvarint()
	m.To = m.From + d.atMost(^m.From)
	d.parts(&m.Parts, false)
}

func (m *Touches) decode(d *decoder) {
	n := d.count(minTouch)
	m.Sessions = make([]Touch, 0, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		t := Touch{Key: d.key()}
		t.Version, t.Remaining = d.written(), d.remaining()
		if i > 0 {
			d.ascending(i, m.Sessions[i-1].Key.Compare(t.Key), at)
		}
		m.Sessions = append(m.Sessions, t)
	}
}

func (m *Ends) decode(d *decoder) {
	n := d.count(minEnd)
	m.Sessions = make([]End, 0, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		e := End{d.key(), d.end()}
		if i > 0 {
			d.ascending(i, m.Sessions[i-1].Key.Compare(e.Key), at)
		}
		m.Sessions = append(m.Sessions, e)
	}
}

func (m *StateRequest) decode(d *decoder) {
	m.Request, m.From = d.Uvarint(), d.key()
	m.Sessions, m.Bytes = d.uint32(), d.uint32()
}

func (m *StateBlock) decode(d *decoder) {
	m.Request, m.Index, m.Last = d.Uvarint(), d.uint32(), d.bool()
	n := d.count(minSnapshot)
	m.Sessions = make([]record.Snapshot, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		d.snapshot(&m.Sessions[i])
		if i > 0 {
			d.ascending(i, m.Sessions[i-1].Key.Compare(m.Sessions[i].Key), at)
		}
	}
}

func (m *Buckets) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.Answer = d.bool()
	m.Sessions = d.Uvarint()
	for i := range m.Sums {
		m.Sums[i] = d.Uint64()
	}
}

func (m *Digests) decode(d *decoder) {
	m.Request = d.Uvarint()
	m.Bucket = d.Uint8()
	n := d.count(minDigest)
	m.Sessions = make([]Digest, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		m.Sessions[i] = Digest{d.key(), d.Uint64()}
		if m.Sessions[i].Key[0] != m.Bucket {
			d.Fail(wire.BadNumber, at)
		}
		if i > 0 {
			d.ascending(i, m.Sessions[i-1].Key.Compare(m.Sessions[i].Key), at)
		}
	}
}

func (m *Fetch) decode(d *decoder) {
	m.Request = d.Uvarint()
	n := d.count(keySize)
	m.Keys = make([]record.Key, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		m.Keys[i] = d.key()
		if i > 0 {
			d.ascending(i, m.Keys[i-1].Compare(m.Keys[i]), at)
		}
	}
}
