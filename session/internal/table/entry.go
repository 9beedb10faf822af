package table

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
)

// Entry is a session that a node holds.
type Entry struct {
	deadline atomic.Int64 // nanoseconds of the table's clock at which it expires

	// Order is held while what was written is taken out and handed to the network, so
	// that the changes of a session go out in the order in which they were made. It is
	// taken before Mu.
	Order sync.Mutex

	Mu sync.RWMutex
	// The rest is guarded by Mu.
	Rec   *record.Session
	Local map[string]Local // values that stay here
	Kept  *Kept            // what is known of it in a store; nil if nothing is
	Sent  Waiter           // what was handed to the network last; nil if nothing waits

	// Whole is nil if all of the session is here. Else something of it is still to come
	// from another node, and Whole is closed when it has.
	Whole chan struct{}
	told  time.Duration // when the others were last told that it is in use; or gone
}

// gone is what told is when the entry is in no table any more: there are many entries, so
// that it takes no place of its own.
const gone = -1

// Local is a value that is not encoded and stays here; Version tells it from others of
// its name.
type Local struct {
	V       any
	Version uint64
}

// locals counts the values of all sessions that stay here.
var locals atomic.Uint64

// NewLocal returns a value with a version that no other has.
func NewLocal(v any) Local { return Local{V: v, Version: locals.Add(1)} }

// Waiter is something that others have to confirm.
type Waiter interface {
	// Wait returns when that is settled, and how.
	Wait(ctx context.Context) error
}

// Begin gives a new session what each has. The caller holds Mu, or is alone.
func (e *Entry) Begin(id string, timeout, now time.Duration) error {
	if err := e.Rec.SetID(id); err != nil {
		return err
	}
	err := e.Rec.SetTimeout(timeout, now)
	e.Arm(now, 0)
	return err
}

// Touch gives the session its whole timeout again. The caller holds Mu.
func (e *Entry) Touch(now time.Duration) {
	e.Rec.Touch(now)
	e.Arm(now, 0)
}

// Arm notes when the session expires: slack later than its record says, for what other
// nodes have not told yet. The caller holds Mu.
func (e *Entry) Arm(now, slack time.Duration) {
	left := e.Rec.Remaining(now)
	if left == record.Never || left > math.MaxInt64-now-slack {
		e.deadline.Store(math.MaxInt64)
		return
	}
	e.deadline.Store(max(int64(now+left+slack), 1))
}

// Expired reports whether the deadline has passed; an entry that was never armed has none.
func (e *Entry) Expired(now time.Duration) bool {
	d := e.deadline.Load()
	return d != 0 && d <= int64(now)
}

// ID returns the current id; it stays after the end only in who has kept it.
func (e *Entry) ID() string {
	e.Mu.RLock()
	defer e.Mu.RUnlock()
	return e.Rec.ID()
}

// Due reports whether the others are to be told that the session is in use, since they
// were told longer than interval ago, and notes that they are told now. The caller holds
// Mu.
func (e *Entry) Due(now, interval time.Duration) bool {
	if e.Gone() || e.told != 0 && now-e.told < interval {
		return false
	}
	e.told = max(now, 1)
	return true
}

// Drop marks the entry as one that is in no table any more, and reports whether it was
// in one. Whoever waits for the rest of it waits no longer. The caller holds Mu.
func (e *Entry) Drop() bool {
	if e.Gone() {
		return false
	}
	e.told, e.Local = gone, nil
	e.Complete()
	return true
}

// Gone reports whether Drop was called. The caller holds Mu.
func (e *Entry) Gone() bool { return e.told == gone }

// Complete says that all of the session is here. The caller holds Mu.
func (e *Entry) Complete() {
	if e.Whole != nil {
		close(e.Whole)
		e.Whole = nil
	}
}
