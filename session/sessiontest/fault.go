package sessiontest

import (
	"context"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// Faults are what goes wrong in a [Store]; the zero value is nothing. They concern all
// methods unless they say otherwise, and come in the order of the fields.
type Faults struct {
	// Before, if not nil, is called at the beginning of each call, in its goroutine and
	// without a lock: it may wait for the test, as long as it ends with ctx, and may call
	// methods of the store. An error ends the call.
	Before func(ctx context.Context, c Call) error
	// Delay is how long each call takes, unless its ctx ends before.
	Delay time.Duration
	// Down, if not nil, is the error of each call. None has an effect.
	Down error
	// Conflicts is how many of the next saves and renames are overtaken: they fail with
	// store.ErrConflict.
	Conflicts int
	// MaxData, if above 0, is the most bytes of one session; more are store.ErrTooLarge.
	MaxData int
	// Full, if not nil, is the error of saves and renames with which the data of all
	// sessions would come to more than Room bytes, as on a disk that is full.
	Full error
	Room int
	// Lost, if not nil, is the error of each call whose answer is lost: the call takes
	// place, and its caller cannot know.
	Lost error
}

// Call is one call of a method.
type Call struct {
	Method  string         // "Load", "Save", "Touch", "Delete", "IDs", "Expire" or "Rename"
	ID      string         // of the session; with Rename the old one
	Session *store.Session // with Save and Rename, to look at
	Base    uint64         // with Save and Rename
	Time    time.Time      // with Touch and Expire
}

// Inject replaces the faults. Calls that are running keep those that they began with, but
// for what they do to the stored sessions.
func (s *Store) Inject(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// do is one call: its faults, and what it does under the lock.
func (s *Store) do(ctx context.Context, c Call, count *int, f func() error) error {
	s.mu.Lock()
	*count++
	faults := s.faults
	s.mu.Unlock()
	if err := faults.begin(ctx, c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Session != nil && s.faults.Conflicts > 0 {
		s.faults.Conflicts--
		return store.ErrConflict
	}
	if err := f(); err != nil {
		return err
	}
	return faults.Lost
}

// begin waits as long as the faults want, and fails if they do.
func (f *Faults) begin(ctx context.Context, c Call) error {
	if f.Before != nil {
		if err := f.Before(ctx, c); err != nil {
			return err
		}
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Down
}

// check refuses ids that are none, and versions that do not grow.
func (c *Call) check() error {
	switch c.Method {
	case "IDs", "Expire":
		return nil
	}
	if err := store.CheckID(c.ID); err != nil {
		return err
	}
	if c.Session != nil {
		return c.Session.Check(c.Base)
	}
	return nil
}
