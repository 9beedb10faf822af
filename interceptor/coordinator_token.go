package interceptor

import (
	"errors"
	"slices"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
)

// The bytes of Tribes' NonBlockingCoordinator (docs/wire.md, Coordinators).
const (
	tokenHeader = "\xaa\x26\xde\xe3\x9e\x5a\x41\x3f\xaf\x86\xfa\x92\x63\xca\x0d\x3f"
	askType     = "\x68\xa1\xa4\xd6\x72\xdc\x47\xed\xb1\x14\x7a\x65\xff\xd0\xcf\x1e"
	confirmType = "\x43\x58\x6b\xaa\x45\x17\x4c\xba\xa5\xe9\xa9\xe7\x83\x56\x4b\x14"
	aliveBytes  = "" +
		"\x4f\x87\xe7\xf1\xc5\x05\x40\x5e\xb3\x71\x89\xa8\x34\x72\xc8\xd2" +
		"\xee\x66\x0a\x22\x81\xf7\x47\x73\xba\x48\x9b\x58\x48\x84\x7f\x6f" +
		"\x4a\x4c\x8c\x32\x6f\x67\x41\x03\xb3\x33\xdd\x00\x77\x75\x09\xe6" +
		"\x77\x32\xb5\x97\x9a\x24\x4f\x25\xbc\xac\x85\x0f\xea\x93\x6a\xc9"
)

// maxToken is the largest token in bytes.
const maxToken = 4 << 20

var (
	errTokenType  = errors.New("tribes: coordinator: a token of an unknown type")
	errTokenTwice = errors.New("tribes: coordinator: a token lists a member twice")
)

// coordToken is a message of an election: a request that goes round the members, or
// the confirmation of the view that came of it.
type coordToken struct {
	leader, source *membership.Member
	members        []*membership.Member // in absolute order, each once
	id             membership.ViewID
	confirm        bool
}

// decodeToken reads a whole message, which may list up to most members. The error
// is a *membership.FormatError or one of the above. Nothing aliases b.
func decodeToken(b []byte, most int) (coordToken, error) {
	var t coordToken
	r := wire.NewReader(b, 0)
	if len(b) > maxToken {
		r.Fail(wire.TooLarge, 0)
	}
	r.Magic(tokenHeader, wire.BadMagic)
	t.leader = tokenMember(&r)
	t.source = tokenMember(&r)
	at := r.Offset()
	count := int(r.Int32())
	switch {
	case count < 1:
		r.Fail(wire.BadLength, at)
	case count > most:
		r.Fail(wire.TooLarge, at)
	case count > r.Left()/(4+membership.MinImage):
		r.Fail(wire.LengthPastEnd, at)
	}
	for i := 0; i < count && r.Err() == nil; i++ {
		t.members = append(t.members, tokenMember(&r))
	}
	copy(t.id[:], r.Bytes(len(t.id)))
	kind := string(r.Bytes(len(askType)))
	if r.Err() == nil && r.Left() > 0 {
		r.Fail(wire.TrailingBytes, r.Offset())
	}
	if err := r.Err(); err != nil {
		return coordToken{}, err
	}
	t.confirm = kind == confirmType
	if !t.confirm && kind != askType {
		return coordToken{}, errTokenType
	}
	if !slices.IsSortedFunc(t.members, membership.CompareAbsolute) {
		slices.SortFunc(t.members, membership.CompareAbsolute)
	}
	for i, m := range t.members[1:] {
		if m.Key() == t.members[i].Key() {
			return coordToken{}, errTokenTwice
		}
	}
	return t, nil
}

// tokenMember reads the length of a member image and the image, which must agree.
func tokenMember(r *wire.Reader) *membership.Member {
	b := r.Sized()
	at := r.Offset() - len(b)
	if r.Err() != nil {
		return nil
	}
	m, size, err := membership.Decode(b)
	var format *membership.FormatError
	switch {
	case errors.As(err, &format):
		r.Fail(format.Reason, at+format.Offset)
	case size != len(b):
		r.Fail(wire.LengthMismatch, at)
	}
	return m
}

// size is the length of the token as a message.
func (t *coordToken) size() int {
	n := len(tokenHeader) + 3*4 + t.leader.ImageSize() + t.source.ImageSize() + len(t.id) + len(askType)
	for _, m := range t.members {
		n += 4 + m.ImageSize()
	}
	return n
}

// append appends the token as a message.
func (t *coordToken) append(b []byte) []byte {
	b = append(b, tokenHeader...)
	b = wire.Sized(b, t.leader.Image())
	b = wire.Sized(b, t.source.Image())
	b = wire.Int32(b, int32(len(t.members)))
	for _, m := range t.members {
		b = wire.Sized(b, m.Image())
	}
	b = append(b, t.id[:]...)
	if t.confirm {
		return append(b, confirmType...)
	}
	return append(b, askType...)
}

// lists reports whether the member is among those of the token.
func (t *coordToken) lists(k membership.Key) bool {
	return slices.ContainsFunc(t.members, func(m *membership.Member) bool { return m.Key() == k })
}

// sameMembers compares two lists in absolute order.
func sameMembers(a, b []*membership.Member) bool {
	return slices.EqualFunc(a, b, func(x, y *membership.Member) bool { return x.Key() == y.Key() })
}
