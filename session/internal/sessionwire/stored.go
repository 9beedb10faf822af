package sessionwire

import (
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/session/internal/record"
)

// StoredVersion is the version of the form in which sessions are stored, the first byte.
const StoredVersion = 1

// Stored is a session as it is stored: the codec of its values and all that is known of it.
// How long it has left is not in it.
type Stored struct {
	Codec string
	record.Snapshot
}

// AppendStored appends a session, which has not ended, in the form in which it is stored.
func AppendStored(b []byte, s *Stored) []byte {
	e := encoder{b: append(b, StoredVersion)}
	e.nodes = e.few[:0]
	e.string(s.Codec)
	sn := s.Snapshot
	sn.Touch.Remaining = record.Never
	e.snapshot(&sn)
	return e.b
}

// DecodeStored reads what AppendStored has written, and nothing else, with the errors and
// the bounds of [Decode]. Values alias b.
func DecodeStored(b []byte) (*Stored, error) {
	d := decoder{Reader: wire.NewReader(b, 0)}
	version := d.Uint8()
	if len(b) > 0 && version != StoredVersion {
		return nil, &VersionError{Got: version, Want: StoredVersion}
	}
	s := &Stored{Codec: string(d.bytes())}
	d.snapshot(&s.Snapshot)
	if d.Left() > 0 {
		d.Fail(wire.TrailingBytes, d.Offset())
	}
	t := s.Touch
	if !d.failed() && (len(s.IDs) == 0 || !t.Version.IsZero() && t.Remaining != record.Never) {
		d.Fail(wire.NotCanonical, d.Offset())
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Left says how long a stored session has left, which it does not know by itself.
func (s *Stored) Left(d time.Duration) {
	if !s.Touch.Version.IsZero() {
		s.Touch.Remaining = d
	}
}
