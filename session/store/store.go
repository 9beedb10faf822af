package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// MaxID is the length of the longest id of a session in bytes.
const MaxID = 200

// Session is what a store keeps of one session.
type Session struct {
	// ID is 1 to MaxID bytes: letters, digits, '-' and '_'. It has no route.
	ID string
	// Data is the session, encoded. A store gives back the bytes that it was given.
	Data []byte
	// Version counts the saves of the session; it is above 0, and each save has a higher
	// one than that which it replaces.
	Version uint64
	// Accessed is when it was last used, to the millisecond, by the clock of the node that
	// has saved or touched it.
	Accessed time.Time
	// Timeout is how long it lives from then on, in whole milliseconds; not above 0 means
	// for ever.
	Timeout time.Duration
}

// Expired reports whether the session has expired at a time.
func (s *Session) Expired(now time.Time) bool {
	return s.Timeout > 0 && !now.Before(s.Accessed.Add(s.Timeout))
}

// The errors of stores, to be tested with errors.Is. Any other error says that the store
// does not work at the moment, and leaves open whether something was saved.
var (
	// ErrNotFound is the error of a session that is not there.
	ErrNotFound = errors.New("tribes: store: no such session")
	// ErrConflict is the error of a save whose base is not what is stored: another node has
	// saved or deleted the session meanwhile. Nothing was changed.
	ErrConflict = errors.New("tribes: store: session was saved by another node")
	// ErrTooLarge is the error of a session that the store cannot keep whole. Nothing was
	// changed: a store never cuts one off.
	ErrTooLarge = errors.New("tribes: store: session is too large for the store")
	// ErrBadID is the error of an id that is none.
	ErrBadID = errors.New("tribes: store: not the id of a session")
)

// A Store keeps sessions. Its methods can be called from any number of goroutines. They end
// when ctx does, with its error; what has been begun may take place then.
type Store interface {
	// Load returns a session, or ErrNotFound. It may return one that has expired. The
	// result is the caller's.
	Load(ctx context.Context, id string) (*Session, error)
	// Save stores s in one step if the version that is stored is base, with 0 for a session
	// that is not there, and fails with ErrConflict if it is another. Whoever loads at any
	// time finds the whole session as it was before or as it is afterwards, also after a
	// crash of the node or of the store. It keeps nothing of s after it has returned. One
	// that has expired but is still there counts as stored.
	Save(ctx context.Context, s *Session, base uint64) error
	// Touch notes that a session was used, unless the store knows of a later access. It
	// leaves the version, and fails with ErrNotFound if there is no such session.
	Touch(ctx context.Context, id string, accessed time.Time) error
	// Delete removes a session. One that is not there is no error.
	Delete(ctx context.Context, id string) error
}

// A Lister is a store that can say what it has.
type Lister interface {
	// IDs goes through the ids of all sessions, in no order; those that come or go meanwhile
	// may be in it or not, none is in it twice. An error, with an empty id, ends it.
	IDs(ctx context.Context) iter.Seq2[string, error]
}

// An Expirer is a store that keeps what has expired until it is told to remove it; others
// do so by themselves.
type Expirer interface {
	// Expire removes the sessions that have expired at now, unless they are saved or touched
	// meanwhile, and returns how many.
	Expire(ctx context.Context, now time.Time) (int, error)
}

// A Renamer is a store that can give a session another id in one step. With others the new
// one is saved before the old one is deleted, and a crash in between leaves both.
type Renamer interface {
	// Rename is Save of s, which replaces the session of the id old, whose version must be
	// base. It fails with ErrConflict if that or s.ID is not as expected: s.ID must be new.
	Rename(ctx context.Context, old string, s *Session, base uint64) error
}

// CheckID fails with ErrBadID if id is not the id of a session, so that it can be part of
// the name of a file or of a key as it is.
func CheckID(id string) error {
	if id == "" || len(id) > MaxID {
		return ErrBadID
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return ErrBadID
		}
	}
	return nil
}

// Check fails if a store need not accept s: ErrBadID, or a version that does not follow
// base.
func (s *Session) Check(base uint64) error {
	if err := CheckID(s.ID); err != nil {
		return err
	}
	if s.Version <= base {
		return ErrConflict
	}
	return nil
}
