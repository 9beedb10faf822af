package persist

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/session/store"
)

// Inner holds the sessions in memory. Its methods are those of package session's backend,
// which says more about them.
type Inner interface {
	// Usable fails while requests cannot be served.
	Usable() error
	// Create returns a session that nobody else can find yet.
	Create() *table.Entry
	// Add makes a session findable by its id.
	Add(h *table.Entry) error
	// Peek returns the session that an id leads to, nil if there is none.
	Peek(id string) *table.Entry
	// Find is Peek for a request: it waits for what is on its way from other nodes.
	Find(ctx context.Context, id string) (*table.Entry, error)
	// All goes through the sessions.
	All() iter.Seq[*table.Entry]
	// Accessed is told of an access. The caller holds h.Mu.
	Accessed(h *table.Entry)
	// Wrote is told of a write. The caller holds h.Mu.
	Wrote(h *table.Entry)
	// Renamed is told of a new id. The caller holds h.Mu.
	Renamed(h *table.Entry, old string)
	// End ends a session, or fails with record.ErrEnded. The caller holds h.Mu.
	End(h *table.Entry, why record.Reason) error
	// Commit returns when what was written is as safe as it is to be without a store.
	Commit(ctx context.Context, h *table.Entry) error
	// Now is the time by the clock of the sessions.
	Now() time.Duration
	// Count returns how many sessions there are.
	Count() int
	// Close drops all sessions.
	Close()
	// Adopt merges a session that comes from the store into what is here, and calls note
	// with the lock of the entry. If later says so, which it calls with the lock too, what was
	// written here and is not stored comes later than what is. It fails with record.ErrEnded
	// if the session is known to have ended.
	Adopt(sn *record.Snapshot, later func(h *table.Entry) bool, note func(h *table.Entry, isNew bool)) (*table.Entry, error)
	// Evict drops a session from memory that has not ended. The caller holds h.Mu.
	Evict(h *table.Entry)
}

// Config is how a [Keeper] is set up. It has no defaults: the manager's are package
// session's. Durations that are negative are off.
type Config struct {
	Store  store.Store
	Codec  string
	Limits record.Limits
	ID     func(id string) string // what a session with this id is stored under; "" is not
	Route  string                 // of ids made here; a session that was elsewhere is looked up
	Shared bool                   // other nodes hold the sessions too, and tell of what ends

	EachRequest   bool // a commit saves what is dirty
	Check         bool // each look-up compares with the store
	Strict        bool // a commit fails if its save does, and a look-up if its comparison does
	SaveAfterIdle time.Duration
	SaveWithin    time.Duration
	SwapAfterIdle time.Duration
	SwapMinIdle   time.Duration
	InMemory      int // 0 is no limit
	Owed          int // ids that are remembered because something is to be deleted
	Forget        bool

	Touch   time.Duration
	Timeout time.Duration
	Calls   int
	Sweep   time.Duration
	Expire  time.Duration

	Lapse  func(h *table.Entry)         // ends a session if it has expired, by End
	Lost   func(h *table.Entry)         // ends a session that was deleted elsewhere, by Drop
	Moved  func(id string, loaded bool) // is told of sessions that come from the store or leave for it
	Logger *slog.Logger
}
