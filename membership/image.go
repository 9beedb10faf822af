package membership

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/gotribes/tribes/internal/wire"
)

const (
	beginMagic = "TRIBES-B\x01\x00"
	endMagic   = "TRIBES-E\x01\x00"

	bodyAt    = 10 // offset of the body length
	aliveAt   = 14 // offset of the alive time
	fixedBody = 49 // body length without host, command, domain and payload
	envelope  = 24 // both magics and the body length
)

// MaxPart is the largest domain, command or payload in bytes.
const MaxPart = 60 << 10

// MinImage and MaxImage are the sizes of the smallest member image, with an IPv4
// host and nothing optional, and of the largest, in bytes: an image travels in
// one datagram.
const (
	MinImage = envelope + fixedBody + 4
	MaxImage = 65507
)

// FormatError says why bytes are no member image or frame, and at which byte.
type FormatError = wire.FormatError

// HasImagePrefix reports whether b begins like a member image.
func HasImagePrefix(b []byte) bool {
	return len(b) >= len(beginMagic) && string(b[:len(beginMagic)]) == beginMagic
}

// Image returns the member's encoding (docs/wire.md, Member image). For a member
// from [New] or [Decode] the string is shared; for one from a [View], whose
// alive time was brought up to date, each call makes it anew.
func (m *Member) Image() string {
	if m.aged {
		return string(m.AppendImage(nil, m.attr.Alive))
	}
	return m.image
}

// ImageSize is the length of the member's encoding in bytes.
func (m *Member) ImageSize() int { return len(m.image) }

// AppendImage appends the member's encoding with alive, in milliseconds, in
// place of its alive time. This is what a heartbeat sends.
func (m *Member) AppendImage(b []byte, alive int64) []byte {
	at := len(b)
	b = append(b, m.image...)
	binary.BigEndian.PutUint64(b[at+aliveAt:], uint64(alive))
	return b
}

// Is reports whether image is, byte for byte, the encoding of m. It lets a
// receiver skip decoding a sender that it has seen before.
func (m *Member) Is(image []byte) bool {
	if m.aged {
		return len(image) == len(m.image) && m.Image() == string(image)
	}
	return m.image == string(image)
}

// withAlive is m with another alive time. The image is not made anew, so that
// the views of large groups stay cheap.
func (m *Member) withAlive(alive int64) *Member {
	if m.attr.Alive == alive {
		return m
	}
	n := *m
	n.attr.Alive, n.aged = alive, true
	return &n
}

// imageSize is the size of the image that describes a.
func (a *Attributes) imageSize() int {
	return envelope + fixedBody + a.Host.BitLen()/8 + len(a.Command) + len(a.Domain) + len(a.Payload)
}

func appendImage(b []byte, a *Attributes) []byte {
	host := a.Host.AsSlice()
	size := a.imageSize()
	b = slices.Grow(b, size)
	b = append(b, beginMagic...)
	b = wire.Int32(b, int32(size-envelope))
	b = wire.Int64(b, a.Alive)
	b = wire.Int32(b, int32(a.Port))
	b = wire.Int32(b, int32(a.SecurePort))
	b = wire.Int32(b, int32(a.UDPPort))
	b = append(b, byte(len(host)))
	b = append(b, host...)
	b = wire.Sized(b, a.Command)
	b = wire.Sized(b, a.Domain)
	b = append(b, a.ID[:]...)
	b = wire.Sized(b, a.Payload)
	return append(b, endMagic...)
}

// Decode reads the member image at the start of b and returns the member and
// the size of the image; whether bytes may follow is the caller's rule. The
// member holds copies, not parts of b.
//
// Decoding is strict where Tribes is lenient: the lengths inside must add up
// to the announced one, a host has 4 or 16 bytes, ports are in range, the image
// and its parts have no more than [MaxImage] and [MaxPart] bytes. The error is
// a *[FormatError].
func Decode(b []byte) (*Member, int, error) {
	size, err := envelopeSize(b)
	if err != nil {
		return nil, 0, err
	}
	r := wire.NewInner(b[aliveAt:size-len(endMagic)], aliveAt)
	var a Attributes
	a.Alive = r.Int64()
	a.Port = port(&r, 0)
	a.SecurePort = port(&r, NoPort)
	a.UDPPort = port(&r, NoPort)
	a.Host = host(&r)
	a.Command = part(&r)
	a.Domain = part(&r)
	copy(a.ID[:], r.Bytes(len(a.ID)))
	a.Payload = part(&r)
	if r.Left() != 0 {
		r.Fail(wire.LengthMismatch, r.Offset())
	}
	if err := r.Err(); err != nil {
		return nil, 0, err
	}
	return &Member{attr: a, image: string(b[:size])}, size, nil
}

// envelopeSize checks the envelope of the image at the start of b.
func envelopeSize(b []byte) (int, error) {
	r := wire.NewReader(b, 0)
	r.Magic(beginMagic, wire.BadMagic)
	body := int(r.Int32())
	switch {
	case body < 0:
		r.Fail(wire.BadLength, bodyAt)
	case body < MinImage-envelope:
		r.Fail(wire.LengthMismatch, bodyAt)
	case body > MaxImage-envelope:
		r.Fail(wire.TooLarge, bodyAt)
	}
	r.Bytes(body)
	r.Magic(endMagic, wire.BadEnd)
	return body + envelope, r.Err()
}

func port(r *wire.Reader, least int) int {
	at := r.Offset()
	p := int(r.Int32())
	if p < least || p > maxPort {
		r.Fail(wire.BadPort, at)
	}
	return p
}

func host(r *wire.Reader) netip.Addr {
	at := r.Offset()
	n := int(r.Uint8())
	if r.Err() == nil && n != 4 && n != 16 {
		r.Fail(wire.BadHost, at)
	}
	addr, _ := netip.AddrFromSlice(r.Bytes(n)) // invalid only after a failure that r keeps
	return addr
}

func part(r *wire.Reader) string {
	at := r.Offset()
	p := r.Sized()
	if len(p) > MaxPart {
		r.Fail(wire.TooLarge, at)
	}
	return string(p)
}
