package mapstore

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// Once is a random number that tells a save from all others.
type Once [8]byte

// maxOnces is how many saves back one that is repeated is known: as many as others can
// make of a session before who has made it repeats it.
const maxOnces = 8

// NewOnce returns the number of a new save.
func NewOnce() (o Once) {
	rand.Read(o[:]) // never fails
	return o
}

// saved is the value of an entry: what was saved of a session, or that it was deleted.
type saved struct {
	deleted  bool
	onces    []Once // of the last saves, the latest first
	version  uint64
	accessed int64  // milliseconds since 1970
	timeout  uint64 // milliseconds, 0 is for ever
	data     []byte
	owned    bool // the memory of data is the map's, up to its capacity
}

// made makes what is saved of a session.
func made(s *store.Session) saved {
	return saved{
		version: s.Version, accessed: s.Accessed.UnixMilli(),
		timeout: uint64(max(0, s.Timeout.Milliseconds())), data: s.Data,
	}
}

// has reports whether a save is one of the last.
func (v *saved) has(once Once) bool { return slices.Contains(v.onces, once) }

// follow gives v the numbers of the saves up to the one that it is of.
func (v *saved) follow(once Once, before []Once) {
	v.onces = append([]Once{once}, before[:min(len(before), maxOnces-1)]...)
}

// session is what made was given.
func (v *saved) session(id string) *store.Session {
	return &store.Session{
		ID: id, Data: v.data, Version: v.version, Accessed: time.UnixMilli(v.accessed),
		Timeout: time.Duration(v.timeout) * time.Millisecond,
	}
}

// forgotten is how long a deletion is kept: a side of a partition that was cut off for
// longer brings the session back.
const forgotten = 24 * time.Hour

// longest is the lifetime of what lives longer than anybody waits.
const longest = 40 * 365 * 24 * time.Hour

// lifetime is how long an entry lives whose session was used age ago; 0 is for ever.
func (v *saved) lifetime(age time.Duration) time.Duration {
	switch {
	case v.deleted:
		return forgotten
	case v.timeout == 0:
		return 0
	case v.timeout > uint64(longest/time.Millisecond):
		return longest
	}
	left := time.Duration(v.timeout)*time.Millisecond - min(max(age, -longest), 2*longest)
	return min(max(left, time.Millisecond), longest)
}

// codec is that of saved: the data, then a byte that says what it is, one with the number of
// Onces, those, for a session three numbers as in package encoding/binary, and in a byte how
// many that are since the data. What changes with each save stands behind the data, where it
// moves nothing.
type codec struct{}

const (
	isSession = 1
	isDeleted = 2
	tailSize  = 3 + maxOnces*len(Once{}) + 3*binary.MaxVarintLen64
)

func (codec) Name() string { return "session-store-2" }

func (codec) Append(b []byte, v saved) ([]byte, error) {
	kind := byte(isSession)
	if v.deleted {
		kind = isDeleted
	}
	if v.owned && len(b) == 0 {
		b = v.data
	} else {
		b = append(slices.Grow(b, len(v.data)+tailSize), v.data...)
	}
	from := len(b)
	b = append(b, kind, byte(len(v.onces)))
	for i := range v.onces {
		b = append(b, v.onces[i][:]...)
	}
	if !v.deleted {
		b = binary.AppendUvarint(b, v.version)
		b = binary.AppendVarint(b, v.accessed)
		b = binary.AppendUvarint(b, v.timeout)
	}
	return append(b, byte(len(b)-from)), nil
}

var errFormat = errors.New("tribes: store: entry of another form")

// Decode returns a value whose data are those of b.
func (codec) Decode(b []byte) (v saved, err error) {
	end := len(b) - 1
	if end < 2 || int(b[end]) > end {
		return v, errFormat
	}
	from := end - int(b[end])
	if v.decode(b[from:end]) != nil || v.deleted && from > 0 {
		return saved{}, errFormat
	}
	if !v.deleted {
		v.data = b[:from:from]
	}
	return v, nil
}

// decode takes everything but the data.
func (v *saved) decode(b []byte) error {
	if len(b) < 2 || b[0] != isSession && b[0] != isDeleted || b[1] > maxOnces {
		return errFormat
	}
	v.deleted = b[0] == isDeleted
	v.onces, b = make([]Once, b[1]), b[2:]
	if len(b) < len(v.onces)*len(Once{}) {
		return errFormat
	}
	for i := range v.onces {
		b = b[copy(v.onces[i][:], b):]
	}
	if v.deleted {
		return ended(b)
	}
	var n [3]int
	v.version, n[0] = binary.Uvarint(b)
	if n[0] > 0 {
		v.accessed, n[1] = binary.Varint(b[n[0]:])
	}
	if n[1] > 0 {
		v.timeout, n[2] = binary.Uvarint(b[n[0]+n[1]:])
	}
	const most = uint64(1<<63-1) / uint64(time.Millisecond)
	if n[2] <= 0 || v.version == 0 || v.timeout > most {
		return errFormat
	}
	return ended(b[n[0]+n[1]+n[2]:])
}

// ended is nil if nothing is left.
func ended(b []byte) error {
	if len(b) > 0 {
		return errFormat
	}
	return nil
}

// resolver returns a function that makes one of two saves of a session which a partition
// has let happen; see Config.Merge. tells says that who deletes leaves an entry, so that a
// session without one has expired on that side; otherwise it may have been deleted.
func resolver(merge func(a, b *store.Session) (*store.Session, error), tells bool) func(string, *saved, *saved) *saved {
	return func(id string, a, b *saved) *saved {
		switch {
		case (a == nil || b == nil) && !tells:
			return nil
		case b == nil:
			return a
		case a == nil || b.deleted:
			return b
		case a.deleted:
			return a
		}
		low, high := a, b
		if a.version > b.version {
			low, high = b, a
		}
		v := *high
		v.accessed = max(a.accessed, b.accessed)
		if slices.Equal(a.onces, b.onces) || merge == nil {
			return &v // one save, with two touches
		}
		m, err := merge(a.session(id), b.session(id))
		if err != nil {
			return &v
		}
		if low.version == high.version || !bytes.Equal(m.Data, high.data) {
			v.data, v.version = m.Data, high.version+1
			v.timeout = uint64(max(0, m.Timeout.Milliseconds()))
			v.onces = union(a.onces, b.onces)
		}
		return &v
	}
}

// union is the latest of both.
func union(a, b []Once) []Once {
	var all []Once
	for i := range maxOnces {
		for _, from := range [][]Once{b, a} {
			if i < len(from) && !slices.Contains(all, from[i]) {
				all = append(all, from[i])
			}
		}
	}
	return all[:min(len(all), maxOnces)]
}
