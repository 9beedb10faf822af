package sessiontest

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// Store is a store in memory, for tests. It has all optional interfaces and does what a
// [store.Store] must, beside the faults that [Store.Inject] asks for. Its methods can be
// called from any number of goroutines; several managers that share it are several nodes
// with one database.
type Store struct {
	mu       sync.Mutex
	sessions map[string]store.Session
	faults   Faults
	calls    Calls
}

// Calls counts the calls of a [Store], those that have failed among them.
type Calls struct {
	Load, Save, Touch, Delete, IDs, Expire, Rename int
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{sessions: make(map[string]store.Session)} }

// Plain returns the store without its optional interfaces.
func (s *Store) Plain() store.Store { return struct{ store.Store }{s} }

// Calls returns how often each method was called.
func (s *Store) Calls() Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Sessions returns a copy of what is stored, in the order of the ids. No fault concerns it.
func (s *Store) Sessions() []store.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]store.Session, 0, len(s.sessions))
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		all = append(all, clone(s.sessions[id]))
	}
	return all
}

func clone(s store.Session) store.Session {
	s.Data = bytes.Clone(s.Data)
	return s
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, id string) (*store.Session, error) {
	var found *store.Session
	err := s.do(ctx, Call{Method: "Load", ID: id}, &s.calls.Load, func() error {
		v, ok := s.sessions[id]
		if !ok {
			return store.ErrNotFound
		}
		v = clone(v)
		found = &v
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Save implements store.Store.
func (s *Store) Save(ctx context.Context, v *store.Session, base uint64) error {
	return s.do(ctx, Call{Method: "Save", ID: v.ID, Session: v, Base: base}, &s.calls.Save, func() error {
		if s.sessions[v.ID].Version != base {
			return store.ErrConflict
		}
		return s.put(v.ID, v)
	})
}

// put stores v in the place of the session of the id old.
func (s *Store) put(old string, v *store.Session) error {
	if m := s.faults.MaxData; m > 0 && len(v.Data) > m {
		return store.ErrTooLarge
	}
	if s.faults.Full != nil && s.bytes()-len(s.sessions[old].Data)+len(v.Data) > s.faults.Room {
		return s.faults.Full
	}
	delete(s.sessions, old)
	s.sessions[v.ID] = clone(*v)
	return nil
}

func (s *Store) bytes() int {
	n := 0
	for _, v := range s.sessions {
		n += len(v.Data)
	}
	return n
}

// Touch implements store.Store.
func (s *Store) Touch(ctx context.Context, id string, accessed time.Time) error {
	return s.do(ctx, Call{Method: "Touch", ID: id, Time: accessed}, &s.calls.Touch, func() error {
		v, ok := s.sessions[id]
		if !ok {
			return store.ErrNotFound
		}
		if accessed.After(v.Accessed) {
			v.Accessed = accessed
			s.sessions[id] = v
		}
		return nil
	})
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.do(ctx, Call{Method: "Delete", ID: id}, &s.calls.Delete, func() error {
		delete(s.sessions, id)
		return nil
	})
}

// IDs implements store.Lister.
func (s *Store) IDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var ids []string
		err := s.do(ctx, Call{Method: "IDs"}, &s.calls.IDs, func() error {
			ids = slices.Collect(maps.Keys(s.sessions))
			return nil
		})
		if err != nil {
			yield("", err)
			return
		}
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// Expire implements store.Expirer.
func (s *Store) Expire(ctx context.Context, now time.Time) (int, error) {
	n := 0
	err := s.do(ctx, Call{Method: "Expire", Time: now}, &s.calls.Expire, func() error {
		for id, v := range s.sessions {
			if v.Expired(now) {
				delete(s.sessions, id)
				n++
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Rename implements store.Renamer.
func (s *Store) Rename(ctx context.Context, old string, v *store.Session, base uint64) error {
	return s.do(ctx, Call{Method: "Rename", ID: old, Session: v, Base: base}, &s.calls.Rename, func() error {
		_, taken := s.sessions[v.ID]
		if was, ok := s.sessions[old]; taken || !ok || was.Version != base {
			return store.ErrConflict
		}
		return s.put(old, v)
	})
}
