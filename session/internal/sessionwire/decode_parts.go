package sessionwire

import (
	"cmp"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/session/internal/record"
)

// The least bytes that items of a session take.
const (
	minAttribute = 5
	minID        = 4
	minMark      = 2
	minShare     = 3
)

func (d *decoder) snapshot(sn *record.Snapshot) {
	sn.Key = d.key()
	if n := d.count(minMark); n > 0 {
		sn.Marks = make([]record.Mark, n)
	}
	for i := 0; i < len(sn.Marks) && !d.failed(); i++ {
		at := d.Offset()
		sn.Marks[i] = record.Mark{Node: d.node(), Counter: d.counter()}
		if i > 0 {
			d.ascending(i, sn.Marks[i-1].Node.Compare(sn.Marks[i].Node), at)
		}
	}
	d.parts(&sn.Parts, true)
}

// parts takes the parts of a session; a whole session has no differences.
func (d *decoder) parts(p *record.Parts, whole bool) {
	at := d.Offset()
	flags := d.Uint8()
	if flags > allParts || flags&hasEnd != 0 && flags != hasEnd {
		d.Fail(wire.NotCanonical, at)
		return
	}
	if flags&hasAttributes != 0 {
		d.attributes(p, whole)
	}
	if flags&hasIDs != 0 {
		d.ids(p)
	}
	if flags&hasTimeout != 0 {
		p.Timeout.Version = d.written()
		p.Timeout.After = time.Duration(d.atMost(uint64(longest))) * time.Millisecond
	}
	if flags&hasPrincipal != 0 {
		p.Principal.Version, p.Principal.Value = d.written(), d.bytes()
	}
	if flags&hasTouch != 0 {
		p.Touch.Version, p.Touch.Remaining = d.written(), d.remaining()
	}
	if flags&hasEnd != 0 {
		p.End = d.end()
	}
}

func (d *decoder) end() record.End {
	v, at := d.written(), d.Offset()
	r := record.Reason(d.Uint8())
	if r != record.Invalidated && r != record.Expired {
		d.Fail(wire.BadNumber, at)
	}
	return record.End{Version: v, Reason: r}
}

func (d *decoder) ids(p *record.Parts) {
	n := d.some(minID)
	p.IDs = make([]record.ID, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		p.IDs[i] = record.ID{Version: d.written(), Text: d.name()}
		if i > 0 {
			d.ascending(i, p.IDs[i].Compare(p.IDs[i-1]), at)
		}
	}
}

func (d *decoder) attributes(p *record.Parts, whole bool) {
	n := d.some(minAttribute)
	p.Attributes = make([]record.Attribute, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		a := &p.Attributes[i]
		d.attribute(a)
		if i > 0 {
			d.ascending(i, cmp.Compare(p.Attributes[i-1].Name, a.Name), at)
		}
		if whole && a.Kind == record.Diff {
			d.Fail(wire.BadNumber, at)
		}
	}
}

func (d *decoder) attribute(a *record.Attribute) {
	a.Name = d.name()
	at := d.Offset()
	flags := d.Uint8()
	a.Kind = record.Kind(flags &^ hasShares)
	a.Version = d.version()
	shares := flags&hasShares != 0
	switch {
	case a.Version.IsZero() && (a.Kind != record.Removed || !shares):
		d.Fail(wire.BadNumber, at) // what was never set is nothing, or shares alone
	case shares && (a.Kind == record.Bytes || a.Kind == record.Diff), a.Kind > record.Diff:
		d.Fail(wire.NotCanonical, at)
	case a.Kind == record.Bytes:
		a.Value = d.bytes()
	case a.Kind == record.Number:
		a.Start = d.varint()
	case a.Kind == record.Diff:
		a.Base.Version = d.written()
		a.Size = int(d.atMost(1<<31 - 1))
		a.Sum = d.Uint32()
		a.Value = d.bytes()
	}
	if shares {
		d.shares(a)
	}
}

func (d *decoder) shares(a *record.Attribute) {
	n := d.some(minShare)
	a.Shares = make([]record.Share, n)
	for i := 0; i < n && !d.failed(); i++ {
		at := d.Offset()
		a.Shares[i] = record.Share{Node: d.node(), Counter: d.counter(), Sum: d.varint()}
		if i > 0 {
			d.ascending(i, a.Shares[i-1].Node.Compare(a.Shares[i].Node), at)
		}
	}
}
