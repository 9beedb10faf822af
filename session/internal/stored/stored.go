package stored

import (
	"fmt"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
	"github.com/gotribes/tribes/session/store"
)

// CodecError says that the values of a session were encoded otherwise than here.
type CodecError struct{ Got, Want string }

// Error implements error.
func (e *CodecError) Error() string {
	return fmt.Sprintf("tribes: session: values stored as %.40q, want %q", e.Got, e.Want)
}

// Encode returns the bytes of a session that has not ended.
func Encode(codec string, sn *record.Snapshot) []byte {
	size := 200 // more or less, for what is not counted below
	for i := range sn.Attributes {
		size += len(sn.Attributes[i].Name) + len(sn.Attributes[i].Value) + 32
	}
	return sessionwire.AppendStored(make([]byte, 0, size), &sessionwire.Stored{Codec: codec, Snapshot: *sn})
}

// Decode returns a session from its bytes, which its values alias. If it has a touch it has
// no time left: that is in the store.Session around the bytes. The errors are a
// [*CodecError] and those of package sessionwire.
func Decode(codec string, data []byte) (*record.Snapshot, error) {
	s, err := sessionwire.DecodeStored(data)
	if err != nil {
		return nil, err
	}
	if s.Codec != codec {
		return nil, &CodecError{Got: s.Codec, Want: codec}
	}
	s.Left(0)
	return &s.Snapshot, nil
}

// Slack returns how much longer a store keeps a session of a timeout than that: as long as an
// access may be unknown to it, of which it is told once in an interval. It is a quarter of
// the timeout at most.
func Slack(timeout, interval time.Duration) time.Duration {
	if timeout <= 0 {
		return 0
	}
	return max(min(interval, timeout/4), time.Millisecond).Truncate(time.Millisecond)
}

// Kept returns the timeout that a store has for a session.
func Kept(timeout, interval time.Duration) time.Duration {
	if timeout <= 0 {
		return 0
	}
	if timeout > record.Never-interval {
		return timeout
	}
	return timeout + Slack(timeout, interval)
}

// Timeout returns the timeout of a session for which a store has Kept of it.
func Timeout(kept, interval time.Duration) time.Duration {
	if kept <= 0 {
		return 0
	}
	if t := kept - interval; t/4 >= interval {
		return t
	}
	return kept / 5 * 4
}

// generous are limits that no stored session exceeds: what it may hold was checked when it
// was written, and is again when it is loaded.
var generous = record.Limits{
	Attributes: 1 << 20, Removed: 1 << 20, Name: 1 << 20, Value: 1 << 28, Bytes: 1 << 28, Nodes: 1 << 16, ID: 1 << 10, IDs: 1,
}

// Merge makes one of two sessions of one id that were saved without knowing of each other:
// with the writes of both, the later access and a version above both. It fails if either
// cannot be read, if they are of two keys, or have different codecs.
func Merge(a, b *store.Session) (*store.Session, error) {
	x, err := sessionwire.DecodeStored(a.Data)
	if err != nil {
		return nil, err
	}
	y, err := sessionwire.DecodeStored(b.Data)
	if err != nil {
		return nil, err
	}
	if x.Codec != y.Codec {
		return nil, &CodecError{Got: y.Codec, Want: x.Codec}
	}
	x.Left(0)
	y.Left(0)
	rec := record.New(record.NewSite(membership.NewID(), generous, false), x.Key)
	for _, sn := range []*record.Snapshot{&x.Snapshot, &y.Snapshot} {
		if _, err := rec.MergeSnapshot(sn, 0); err != nil {
			return nil, err
		}
	}
	later, slack := a.Accessed, time.Duration(0)
	if b.Accessed.After(later) {
		later = b.Accessed
	}
	for s, own := range map[*store.Session]record.Timeout{a: x.Timeout, b: y.Timeout} {
		if own.After > 0 {
			slack = max(slack, s.Timeout-own.After)
		}
	}
	m := &store.Session{ID: a.ID, Version: max(a.Version, b.Version) + 1, Accessed: later}
	if t := rec.Timeout(); t > 0 {
		m.Timeout = t + slack
	}
	m.Data = Encode(x.Codec, rec.Snapshot(0))
	return m, nil
}
