package memcached

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// A lock is an item that add makes: of several that try one succeeds. It expires after lease;
// whoever has it relies on it for half of that, by its own clock, the rest being for an engine
// that rounds and for what is on its way.
const (
	lease    = 10 * time.Second
	relyOn   = lease / 2
	firstTry = 2 * time.Millisecond
	lastTry  = 50 * time.Millisecond
)

var errLate = errors.New("the lock was held for too long")

// locked runs f while no other node does for the same session. f must ask held before it
// writes.
func locked(ctx context.Context, c *conn, key string, f func(held func() error) error) error {
	lock, wait := key+":lock", firstTry
	if c.used { // to find out if it still is one, as long as nothing is changed
		if _, _, err := c.get(lock); err != nil && err != errMissing {
			return err
		}
	}
	var since time.Time
	for {
		since = time.Now() // before the engine's time begins
		err := c.put("add", lock, int64(lease/time.Second), []byte("1"), "")
		if err == nil {
			break
		}
		if !errors.Is(err, errNotStored) {
			return err
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, lastTry)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	held := func() error {
		if time.Since(since) > relyOn {
			return errLate
		}
		return nil
	}
	err := f(held)
	if late := held(); late != nil { // it may be another node's by now
		return err
	}
	if !c.bad {
		_ = c.delete(lock) // f is done; if this fails the lock expires
	}
	return err
}

// changeLocked is change for servers without cas.
func (s *Store) changeLocked(ctx context.Context, op, id string, f func(is *store.Session) (*store.Session, error)) error {
	return s.do(ctx, op, id, func(ctx context.Context, c *conn, key string) error {
		return locked(ctx, c, key, func(held func() error) error {
			is, _, err := load(c, key, id)
			if err != nil && !errors.Is(err, errMissing) {
				return err
			}
			to, err := f(is)
			if err != nil || to == nil {
				return err
			}
			if err := held(); err != nil {
				return err
			}
			return c.put("set", key, expiry(to, time.Now()), encode(to), "")
		})
	})
}

// deleteLocked is Delete for servers without cas: a save that has seen the session must not
// bring it back.
func (s *Store) deleteLocked(ctx context.Context, id string) error {
	return s.do(ctx, "delete", id, func(ctx context.Context, c *conn, key string) error {
		return locked(ctx, c, key, func(held func() error) error {
			if err := held(); err != nil {
				return err
			}
			return c.delete(key)
		})
	})
}
