package session

import (
	"context"
	"iter"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

// held is a session that a backend holds.
type held = table.Entry

// localValue is a value that stays here.
type localValue = table.Local

// A backend keeps the sessions of a manager: in this process alone, or together with
// others. What happens to one session is decided under its own lock, by who uses it;
// the backend is told and keeps its index.
type backend interface {
	// Usable fails while requests cannot be served.
	Usable() error
	// Create returns a session that nobody else can find yet.
	Create() *held
	// Add makes a session findable by its id. It fails with ErrClosed, with
	// ErrTooManySessions, and with table.ErrTaken if the id leads to another one.
	Add(h *held) error
	// Peek returns the session that an id leads to, if it is here.
	Peek(id string) *held
	// Find returns the session that an id leads to, nil if there is none. It may have
	// ended or expired meanwhile.
	Find(ctx context.Context, id string) (*held, error)
	// All returns the sessions that there are, each of them unless it comes or goes
	// meanwhile.
	All() iter.Seq[*held]

	// These are called with the lock of h held: after an access; after a write; after a
	// write of a new id, old is the one before; before the end.
	Accessed(h *held)
	Wrote(h *held)
	Renamed(h *held, old string)
	// End ends the session, or fails with ErrEnded.
	End(h *held, why record.Reason) error

	// Commit returns when what was written is as safe as it is configured to be: before
	// the header of the response is written, and at the end of the request.
	Commit(ctx context.Context, h *held) error

	Now() time.Duration
	Count() int
	Close()
}
