package sessionwire

import (
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
)

// Decode reads one message. Attribute values and principals in it alias b, everything
// else is memory of its own: it is at most a small multiple of len(b), whatever lengths
// and counts the message announces. The errors are [*VersionError], [*KindError] and
// [*FormatError]. There is one way to write a message: what Decode accepts, [Append]
// writes again byte for byte.
//
// Decode knows no limits: that a name or a value is too long is told by the merge, and
// costs that session, not the others in the message.
func Decode(b []byte) (Message, error) {
	d := decoder{Reader: wire.NewReader(b, 0)}
	version, kind := d.Uint8(), Kind(d.Uint8())
	if len(b) > 0 && version != Version {
		return nil, &VersionError{Got: version, Want: Version}
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	m := kind.message()
	if m == nil {
		return nil, &KindError{Kind: kind}
	}
	m.decode(&d)
	if d.Left() > 0 {
		d.Fail(wire.TrailingBytes, d.Offset())
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// decoder takes fields.
type decoder struct {
	wire.Reader
	nodes []record.Node
	index map[record.Node]int
}

// maxNodes is how many nodes one message may name.
const maxNodes = 1 << 16

func (d *decoder) failed() bool { return d.Err() != nil }

func (d *decoder) key() (k record.Key) {
	copy(k[:], d.Bytes(len(k)))
	return k
}

func (d *decoder) bool() bool {
	at := d.Offset()
	v := d.Uint8()
	if v > 1 {
		d.Fail(wire.NotCanonical, at)
	}
	return v == 1
}

func (d *decoder) varint() int64 {
	v := d.Uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// bytes takes a length and as many bytes, which alias the input.
func (d *decoder) bytes() []byte {
	at := d.Offset()
	n := d.Uvarint()
	if n > uint64(d.Left()) {
		d.Fail(wire.LengthPastEnd, at)
		return nil
	}
	return d.Bytes(int(n))
}

// name takes a string that is not empty.
func (d *decoder) name() string {
	at := d.Offset()
	p := d.bytes()
	if len(p) == 0 {
		d.Fail(wire.BadLength, at)
	}
	return string(p)
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

func (d *decoder) uint32() uint32 { return uint32(d.atMost(1<<32 - 1)) }

// counter takes a counter that is not 0.
func (d *decoder) counter() uint64 {
	at := d.Offset()
	v := d.Uvarint()
	if v == 0 {
		d.Fail(wire.BadNumber, at)
	}
	return v
}

// count takes how many items follow, each of at least size bytes, so that there is never
// memory for items that the rest of the input has no room for.
func (d *decoder) count(size int) int {
	at := d.Offset()
	n := d.Uvarint()
	if n > uint64(d.Left()/size) {
		d.Fail(wire.LengthPastEnd, at)
		return 0
	}
	return int(n)
}

// some is count for a list that is there because it is not empty.
func (d *decoder) some(size int) int {
	at := d.Offset()
	n := d.count(size)
	if n == 0 {
		d.Fail(wire.NotCanonical, at)
	}
	return n
}

// node takes a node; see [encoder.node].
func (d *decoder) node() record.Node {
	at := d.Offset()
	i := d.Uvarint()
	if i < uint64(len(d.nodes)) {
		return d.nodes[i]
	}
	if i > uint64(len(d.nodes)) {
		d.Fail(wire.BadNumber, at)
		return record.Node{}
	}
	if i == maxNodes {
		d.Fail(wire.TooLarge, at)
		return record.Node{}
	}
	var id membership.ID
	copy(id[:], d.Bytes(len(id)))
	if d.failed() {
		return record.Node{}
	}
	n := record.NodeOf(id)
	if n.IsZero() || !d.isNew(n) {
		d.Fail(wire.NotCanonical, at)
		return record.Node{}
	}
	d.nodes = append(d.nodes, n)
	return n
}

// isNew reports whether n was not named before, and notes that it is now.
func (d *decoder) isNew(n record.Node) bool {
	if len(d.nodes) < manyNodes {
		for _, o := range d.nodes {
			if o == n {
				return false
			}
		}
		return true
	}
	if d.index == nil {
		d.index = make(map[record.Node]int)
		for i, o := range d.nodes {
			d.index[o] = i
		}
	}
	if _, known := d.index[n]; known {
		return false
	}
	d.index[n] = len(d.nodes)
	return true
}

func (d *decoder) version() record.Version {
	c := d.Uvarint()
	if c == 0 {
		return record.Version{}
	}
	return record.Version{Counter: c, Node: d.node()}
}

// written takes the version of something that was written, so it is not zero.
func (d *decoder) written() record.Version {
	at := d.Offset()
	v := d.version()
	if v.IsZero() {
		d.Fail(wire.BadNumber, at)
	}
	return v
}

func (d *decoder) remaining() time.Duration {
	ms := d.atMost(uint64(longest) + 1)
	if ms == 0 {
		return record.Never
	}
	return time.Duration(ms-1) * time.Millisecond
}

// ascending checks the order of a list.
func (d *decoder) ascending(i, compared, at int) {
	if i > 0 && compared >= 0 {
		d.Fail(wire.NotCanonical, at)
	}
}
