package membership

import (
	"encoding/binary"
	"time"

	"github.com/gotribes/tribes/internal/wire"
)

// KeyOf reads whose image b begins with and nothing else; ok is false if it
// cannot. That the rest is in order takes [Decode] or [Member.Announces]. It
// allocates nothing.
func KeyOf(b []byte) (k Key, ok bool) {
	if !HasImagePrefix(b) {
		return Key{}, false
	}
	r := wire.NewReader(b, 0)
	r.Bytes(aliveAt + 8)
	k.Port = port(&r, 0)
	r.Bytes(4 + 4) // secure port, UDP port
	k.Host = host(&r)
	r.Sized() // command
	r.Sized() // domain
	copy(k.ID[:], r.Bytes(len(k.ID)))
	if r.Err() != nil {
		return Key{}, false
	}
	return k, true
}

// Announces reports whether b begins with an image that says what m says but
// for the alive time, which it returns in milliseconds. Such an image is well
// formed and tells nothing new. It allocates nothing.
func (m *Member) Announces(b []byte) (alive int64, ok bool) {
	const end = aliveAt + 8
	n := len(m.image)
	if len(b) < n || string(b[:aliveAt]) != m.image[:aliveAt] || string(b[end:n]) != m.image[end:] {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b[aliveAt:])), true
}

// Refresh is Heard for the image at the start of b without decoding it: if a
// member of the table announces that, its alive time and the sign of life are
// noted and the member is returned. Nil means that nothing was noted, because b
// is no image, or of a member that is not there, or tells something new. It
// allocates nothing.
func (t *Table) Refresh(b []byte, now time.Time) *Member {
	k, ok := KeyOf(b)
	if !ok {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[k]
	if e == nil {
		return nil
	}
	alive, ok := e.member.Announces(b)
	if !ok {
		return nil
	}
	e.alive, e.heard = alive, now
	return e.member
}

// AliveAt returns the alive time, in milliseconds, that a member of the table
// should have now by what it last told; ok is false if it is not there.
func (t *Table) AliveAt(k Key, now time.Time) (alive int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[k]; e != nil {
		return later(e.alive, now.Sub(e.heard)), true
	}
	return 0, false
}
