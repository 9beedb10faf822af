package mapwire

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

// VersionError says that a message is of another version of the protocol.
type VersionError struct{ Got uint8 }

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("tribes: replmap: protocol version %d, this is %d", e.Got, Version)
}

// KindError says that a message is of a kind that this version does not have.
type KindError struct{ Kind Kind }

// Error implements error.
func (e *KindError) Error() string { return "tribes: replmap: unknown message, " + e.Kind.String() }

// Decode reads one message. Values in it alias b, everything else is memory of its own.
// The errors are [*VersionError], [*KindError] and [*wire.FormatError]. What Decode accepts,
// [Append] writes again byte for byte.
func Decode(b []byte) (Message, error) {
	d := decoder{Reader: wire.NewReader(b, 0)}
	version, kind := d.Uint8(), Kind(d.Uint8())
	if len(b) > 0 && version != Version && version != MaxVersion {
		return nil, &VersionError{Got: version}
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	if int(kind) >= len(empty) || empty[kind] == nil {
		return nil, &KindError{Kind: kind}
	}
	m := empty[kind]()
	m.decode(&d)
	if d.Left() > 0 {
		d.Fail(wire.TrailingBytes, d.Offset())
	}
	if d.newer != (version == MaxVersion) {
		d.Fail(wire.NotCanonical, 0)
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// decoder takes fields.
type decoder struct {
	wire.Reader
	newer bool // there is something that Version does not have
	nodes []membership.ID
	known map[membership.ID]bool
}

func (d *decoder) failed() bool { return d.Err() != nil }

func (d *decoder) bool() bool { return d.within(1) == 1 }

// within takes a byte that is not above most.
func (d *decoder) within(most uint8) uint8 {
	at := d.Offset()
	v := d.Uint8()
	if v > most {
		d.Fail(wire.BadNumber, at)
	}
	return v
}

// atMost takes a number that is not above limit.
func (d *decoder) atMost(limit uint64) uint64 {
	at := d.Offset()
	v := d.Uvarint()
	if v > limit {
		d.Fail(wire.BadNumber, at)
		return 0
	}
	return v
}

func (d *decoder) bytes() []byte {
	at := d.Offset()
	n := d.Uvarint()
	if n > uint64(d.Left()) {
		d.Fail(wire.LengthPastEnd, at)
		return nil
	}
	return d.Bytes(int(n))
}

func (d *decoder) string() string { return string(d.bytes()) }

// count takes how many items follow, each of at least size bytes.
func (d *decoder) count(size int) int {
	at := d.Offset()
	n := d.Uvarint()
	if n > uint64(d.Left()/size) {
		d.Fail(wire.LengthPastEnd, at)
		return 0
	}
	return int(n)
}

func (d *decoder) version() (v entry.Version) {
	at := d.Offset()
	if v.Counter = d.atMost(entry.MaxCounter); v.Counter == 0 {
		d.Fail(wire.BadNumber, at)
		return v
	}
	at = d.Offset()
	switch i := d.Uvarint(); {
	case i < uint64(len(d.nodes)):
		v.Node = d.nodes[i]
		return v
	case i > uint64(len(d.nodes)):
		d.Fail(wire.BadNumber, at)
		return v
	}
	copy(v.Node[:], d.Bytes(len(v.Node)))
	if d.known[v.Node] {
		d.Fail(wire.NotCanonical, at)
	}
	if d.failed() {
		return v
	}
	if d.known == nil {
		d.known = make(map[membership.ID]bool)
	}
	d.known[v.Node] = true
	d.nodes = append(d.nodes, v.Node)
	return v
}

// maxLifetime in milliseconds leaves room for sums of durations.
const maxLifetime = uint64(math.MaxInt64 / 4 / int64(time.Millisecond))

func (d *decoder) lifetime() time.Duration {
	at := d.Offset()
	ms := d.atMost(maxLifetime)
	if ms == 0 {
		d.Fail(wire.NotCanonical, at)
		return entry.Forever
	}
	return time.Duration(ms-1) * time.Millisecond
}

func (d *decoder) place() (p entry.Place) {
	p.Bucket = int(d.atMost(entry.Buckets))
	if p.Begun = d.bool(); p.Begun {
		p.After = d.string()
	}
	return p
}

// leastEntry and its like are the bytes that an item takes at least.
const (
	leastEntry   = 4
	leastVersion = 2
	leastDigest  = 1 + leastVersion + 8
	leastKey     = 1
	leastHas     = 1
)

// flags takes a byte that has no other bits than those.
func (d *decoder) flags(those uint8) uint8 {
	at := d.Offset()
	v := d.Uint8()
	if v&^those != 0 {
		d.Fail(wire.BadNumber, at)
	}
	return v
}

// state takes an entry up to its version.
func (d *decoder) state(those uint8) (e entry.Entry, flags uint8) {
	e.Key, e.Lifetime = d.string(), entry.Forever
	flags = d.flags(those)
	e.Gone, e.Proxy = flags&flagGone != 0, flags&flagProxy != 0
	e.Placed = flags&(flagProxy|flagPlaced) != 0
	switch {
	case e.Gone && e.Placed || e.Proxy && flags&flagPlaced != 0 || (e.Gone || e.Proxy) && flags&flagDiff != 0:
		d.Fail(wire.NotCanonical, d.Offset())
	case e.Gone:
	case e.Proxy:
		e.Sum = d.Uint64()
	case flags&flagDiff != 0:
		e.Diff, e.Sum = d.diff()
	default:
		e.Value = d.bytes()
	}
	if flags&flagLifetime != 0 {
		e.Lifetime = d.lifetime()
	}
	return e, flags
}

// diff takes a difference and the hash of what it makes.
func (d *decoder) diff() (*entry.Diff, uint64) {
	d.newer = true
	x := &entry.Diff{Base: d.version(), BaseSum: d.Uint64(), Size: int(d.atMost(math.MaxInt32))}
	sum := d.Uint64()
	if x.Steps = d.bytes(); len(x.Steps) == 0 {
		x.Steps = nil
	}
	return x, sum
}

// anyFlag are those of an entry that is whole.
const anyFlag = flagGone | flagLifetime | flagMarks | flagProxy | flagPlaced

func (d *decoder) entry(those uint8) entry.Entry {
	e, flags := d.state(those)
	e.Version = d.version()
	if flags&flagMarks == 0 {
		return e
	}
	at := d.Offset()
	n := d.count(leastVersion)
	if n == 0 {
		d.Fail(wire.NotCanonical, at)
	}
	for i := range n {
		at := d.Offset()
		v := d.version()
		if i > 0 && bytes.Compare(e.Marks[i-1].Node[:], v.Node[:]) >= 0 {
			d.Fail(wire.NotCanonical, at)
		}
		if d.failed() {
			return e
		}
		e.Marks = append(e.Marks, v)
	}
	return e
}

func (d *decoder) entries(those uint8) []entry.Entry {
	var all []entry.Entry
	for range d.count(leastEntry) {
		e := d.entry(those)
		if d.failed() {
			return nil
		}
		all = append(all, e)
	}
	return all
}
