package mapstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/replmap"
	"github.com/gotribes/tribes/session/store"
)

// Save implements [store.Store].
func (m *Store) Save(ctx context.Context, s *store.Session, base uint64) error {
	return m.SaveOnce(ctx, s, base, NewOnce(), time.Since(s.Accessed))
}

// SaveOnce is Save of somebody who may repeat it: if one of the last saves of the session had
// the same number, it is done. age is how long ago the session was used.
func (m *Store) SaveOnce(ctx context.Context, s *store.Session, base uint64, once Once, age time.Duration) error {
	_, err := m.save(ctx, s, base, once, age, false)
	return err
}

// SaveMark is Save that also returns what [Store.Mark] was right after it, nil if that is not
// known. The memory of the data is the store's from then on, up to its capacity: if that is
// some bytes more than there are, nothing is copied.
func (m *Store) SaveMark(ctx context.Context, s *store.Session, base uint64) (any, error) {
	v, err := m.save(ctx, s, base, NewOnce(), time.Since(s.Accessed), true)
	if err != nil || m.asks || v.IsZero() {
		return nil, err
	}
	return v, nil
}

func (m *Store) save(ctx context.Context, s *store.Session, base uint64, once Once, age time.Duration, owned bool) (replmap.Version, error) {
	var none replmap.Version
	if err := s.Check(base); err != nil {
		return none, err
	}
	if len(s.Data) > m.maxData {
		return none, fmt.Errorf("%w: %d bytes, at most %d", store.ErrTooLarge, len(s.Data), m.maxData)
	}
	v := made(s)
	v.owned = owned
	asked := false
	for tries := 1; ctx.Err() == nil; {
		at, put, err := m.put(ctx, s.ID, &v, base, once, age)
		switch {
		case errors.Is(err, store.ErrConflict) && !asked:
			// What this member knows may be old, if saves do not wait for it any more.
			asked = true
			if err := m.latest(ctx, s.ID); err != nil {
				return none, failed(err)
			}
		case errors.Is(err, replmap.ErrUncertain) && tries < maxTries:
			tries++
		case err != nil:
			return none, failed(err)
		case put:
			return at, nil
		}
	}
	return none, ctx.Err()
}

// put tries once to make v what is kept of a session, as the save that has a number. It
// reports whether it is: else another one has come between.
func (m *Store) put(ctx context.Context, id string, v *saved, base uint64, once Once, age time.Duration) (replmap.Version, bool, error) {
	old, at, there, err := m.m.GetVersion(ctx, id)
	switch {
	case err != nil:
		return at, false, err
	case there && old.has(once):
		return at, false, errDone // also if it was saved or deleted since
	case there && !old.deleted && old.version != base, (!there || old.deleted) && base != 0:
		return at, false, store.ErrConflict
	}
	v.follow(once, old.onces)
	defer func() { v.owned = false }() // what has been asked may still take place
	return m.m.PutIfVersion(ctx, id, *v, v.lifetime(age), at)
}

// failed is how a user of the store sees an error of the map.
func failed(err error) error {
	switch {
	case err == nil, errors.Is(err, errDone):
		return nil
	case errors.Is(err, replmap.ErrTooLarge):
		return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
	}
	return err
}
