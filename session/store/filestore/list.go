package filestore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// IDs implements store.Lister. It reads the names of all files first, and none of the
// files: sessions that are corrupt are in it.
func (s *Store) IDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ids, err := s.ids(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				yield("", err)
				return
			}
			if !yield(id, nil) {
				return
			}
		}
	}
}

func (s *Store) ids(ctx context.Context) ([]string, error) {
	var names []string
	err := s.reading(ctx, func() (err error) {
		names, err = s.disk.list(s.dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(names))
	for _, name := range names {
		if id, ok := idOf(name); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids) // some systems list a file twice that is replaced meanwhile
	return slices.Compact(ids), nil
}

// Expire implements store.Expirer. It reads the header of each file, in some 10 µs.
// Those that are corrupt stay, and are an error after the others have been looked at.
func (s *Store) Expire(ctx context.Context, now time.Time) (removed int, err error) {
	ids, err := s.ids(ctx)
	if err != nil {
		return 0, err
	}
	var first error
	failed := 0
	for _, id := range ids {
		ok, err := s.expire(ctx, id, now)
		switch {
		case err != nil && errors.Is(err, ctx.Err()):
			return removed, err
		case err != nil:
			if failed++; first == nil {
				first = err
			}
		case ok:
			removed++
		}
	}
	if failed > 1 {
		return removed, fmt.Errorf("%w (and %d more files)", first, failed-1)
	}
	return removed, first
}

// expire removes a session if it has expired.
func (s *Store) expire(ctx context.Context, id string, now time.Time) (bool, error) {
	removed := false
	err := s.locked(ctx, id, func() error {
		h, err := s.peek(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil || !h.session(id, nil).Expired(now) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		removed = true
		return s.disk.remove(s.path(id))
	})
	if err != nil {
		return false, err
	}
	return removed, nil
}
