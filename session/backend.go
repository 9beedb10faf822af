package session

import (
	"context"
	"errors"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
)

// A backend keeps the sessions of a manager: in this process alone, or together with
// others. What happens to one session is decided under its own lock, by who uses it;
// the backend is told and keeps its index.
type backend interface {
	// create returns a session that nobody else can find yet.
	create() *held
	// add makes a session findable by its id. It fails with ErrClosed, with
	// ErrTooManySessions, and with errTaken if the id leads to another one.
	add(h *held) error
	// find returns the session that an id leads to, nil if there is none. It may have
	// ended or expired meanwhile.
	find(ctx context.Context, random string) (*held, error)
	// all returns the sessions that there are, each of them unless it comes or goes
	// meanwhile.
	all() iter.Seq[*held]

	// These are called with the lock of h held: after a write; after a write of a new
	// id, random is the one before; after the end.
	wrote(h *held)
	renamed(h *held, random string)
	ended(h *held, id ID)

	// commit returns when what was written is as safe as it is configured to be: before
	// the header of the response is written, and at the end of the request.
	commit(ctx context.Context, h *held) error

	now() time.Duration
	count() int
	close()
}

var errTaken = errors.New("tribes: session: id is taken")

// held is a session that a backend holds.
type held struct {
	deadline atomic.Int64 // nanoseconds of the backend's clock at which it expires

	mu sync.RWMutex
	// The rest is guarded by mu.
	rec    *record.Session
	local  map[string]localValue // of names for which Config.LocalOnly is true
	writes uint64                // to local
}

// localValue is a value that stays here; version tells it from others of its name.
type localValue struct {
	v       any
	version uint64
}

// begin gives a new session what each has.
func (h *held) begin(id ID, timeout, now time.Duration) error {
	if err := h.rec.SetID(string(id)); err != nil {
		return err
	}
	err := h.rec.SetTimeout(timeout, now)
	h.arm(now)
	return err
}

// touch gives the session its whole timeout again. The caller holds h.mu.
func (h *held) touch(now time.Duration) {
	h.rec.Touch(now)
	h.arm(now)
}

// arm notes when the session expires. The caller holds h.mu.
func (h *held) arm(now time.Duration) {
	left := h.rec.Remaining(now)
	if left == record.Never || left > math.MaxInt64-now {
		h.deadline.Store(math.MaxInt64)
		return
	}
	h.deadline.Store(int64(now + left))
}

func (h *held) expired(now time.Duration) bool { return h.deadline.Load() <= int64(now) }

// id returns the current id; it stays after the end only in who has kept it.
func (h *held) id() ID {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return ID(h.rec.ID())
}
