package memcached

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// An item begins with the number of its format, and has then the version, the last access in
// ms since 1970 and the timeout in ms, 8 bytes each, big-endian.
const (
	format    = 1
	headBytes = 25
)

var errItem = errors.New("the item is not a session of this format")

// encode returns the item of a session.
func encode(x *store.Session) []byte {
	b := make([]byte, 0, headBytes+len(x.Data))
	b = append(b, format)
	b = binary.BigEndian.AppendUint64(b, x.Version)
	b = binary.BigEndian.AppendUint64(b, uint64(x.Accessed.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(x.Timeout.Milliseconds()))
	return append(b, x.Data...)
}

// decode returns the session of an item, with the item's bytes in it.
func decode(id string, b []byte) (*store.Session, error) {
	if len(b) < headBytes || b[0] != format {
		return nil, errItem
	}
	number := func(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
	x := &store.Session{ID: id, Version: number(1), Data: b[headBytes:],
		Accessed: time.UnixMilli(int64(number(9))), Timeout: time.Duration(number(17)) * time.Millisecond}
	if x.Version == 0 {
		return nil, errItem
	}
	return x, nil
}

// month is the longest time from now that memcached counts as such; above it expects a date.
const month = 30 * 24 * 60 * 60

// expiry returns when the engine may remove a session, as it is told: never as 0, in seconds
// from now, or as a date. It is one to two seconds late: engines round, Hazelcast down.
func expiry(x *store.Session, now time.Time) int64 {
	if x.Timeout <= 0 {
		return 0
	}
	left := x.Accessed.Add(x.Timeout).Sub(now)
	seconds := max(int64(left/time.Second)+2, 1)
	if seconds <= month {
		return seconds
	}
	if at := now.Unix() + seconds; at <= math.MaxInt32 {
		return at
	}
	return 0
}
