package sessiontest

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// spoilers are faults, each with the check that finds it.
var spoilers = []struct {
	name, found string
	spoil       func(*spoiled)
}{
	{"saves without a look at the version", "conflicts", blind},
	{"saves in two steps", "race of saves", late},
	{"first saves in two steps", "race of first saves", late},
	{"touches write back", "race of save and touch", lateTouch},
	{"a save brings back", "race of save and delete", blind},
	{"half a session is seen", "loads see whole sessions", halves},
	{"ids without case", "ids", upper},
	{"data is cut off", "sizes", saving(func(s *store.Session) { s.Data = s.Data[:min(len(s.Data), 65535)] })},
	{"too much data is cut off", "too much data", func(s *spoiled) {
		s.maxData = 1000
		saving(func(v *store.Session) { v.Data = v.Data[:min(len(v.Data), 1000)] })(s)
	}},
	{"seconds", "timeouts", saving(func(s *store.Session) { s.Timeout = s.Timeout.Truncate(time.Second) })},
	{"seconds of accesses", "times", saving(func(s *store.Session) { s.Accessed = s.Accessed.Truncate(time.Second) })},
	{"signed versions", "versions", saving(func(s *store.Session) { s.Version &= 1<<63 - 1 })},
	{"empty data is text", "data", saving(func(s *store.Session) {
		if len(s.Data) == 0 {
			s.Data = []byte("null")
		}
	})},
	{"data is kept", "data is copied", func(s *spoiled) {
		s.save = func(_ context.Context, v *store.Session, _ uint64) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sessions[v.ID] = *v
			return nil
		}
	}},
	{"data is shared", "data is copied", func(s *spoiled) {
		s.load = func(_ context.Context, id string) (*store.Session, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			v := s.sessions[id]
			return &v, nil
		}
	}},
	{"any id", "bad ids", func(s *spoiled) {
		s.load = func(context.Context, string) (*store.Session, error) { return nil, store.ErrNotFound }
	}},
	{"no context", "context that has ended", func(s *spoiled) {
		s.load = func(_ context.Context, id string) (*store.Session, error) {
			return s.Store.Load(context.Background(), id)
		}
	}},
	{"another error", "what is not there", func(s *spoiled) {
		s.delete = func(context.Context, string) error { return store.ErrNotFound }
	}},
	{"deletes nothing", "save, load and delete", func(s *spoiled) {
		s.delete = func(context.Context, string) error { return nil }
	}},
	{"touches nothing", "touch", func(s *spoiled) {
		s.touch = func(context.Context, string, time.Time) error { return nil }
	}},
	{"touches back", "touch never goes back", lateTouch},
	{"touch gives a timeout", "touch of what never expires", func(s *spoiled) {
		s.touch = func(_ context.Context, id string, at time.Time) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			v := s.sessions[id]
			v.Accessed, v.Timeout = at, time.Hour
			s.sessions[id] = v
			return nil
		}
	}},
	{"lists twice", "ids of all sessions", func(s *spoiled) {
		s.ids = func(ctx context.Context) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for id, err := range s.Store.IDs(ctx) {
					for range 2 {
						if !yield(id, err) {
							return
						}
					}
				}
			}
		}
	}},
	{"expires early", "expiry to the millisecond", expiring(func(now time.Time) time.Time { return now.Add(time.Millisecond) })},
	{"expires late", "expiry to the millisecond", expiring(func(now time.Time) time.Time { return now.Add(-time.Millisecond) })},
	{"expires what never does", "expiry of what is kept", func(s *spoiled) {
		s.expire = func(context.Context, time.Time) (int, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			clear(s.sessions)
			return 1, nil
		}
	}},
	{"expired ones count as absent", "expired sessions count as stored", func(s *spoiled) {
		s.save = func(ctx context.Context, v *store.Session, base uint64) error {
			if was, err := s.Store.Load(ctx, v.ID); err == nil && was.Expired(time.Now()) {
				base = was.Version
			}
			return s.Store.Save(ctx, v, base)
		}
	}},
	{"counts too much", "expiry by two nodes", func(s *spoiled) {
		s.expire = func(ctx context.Context, now time.Time) (int, error) {
			n := 0
			for _, v := range s.Sessions() {
				if v.Expired(now) {
					n++
				}
			}
			rest()
			_, err := s.Store.Expire(ctx, now)
			return n, err
		}
	}},
	{"expires what is saved", "race of expiry and save", expireForGood},
	{"renames over", "renames that are refused", func(s *spoiled) {
		s.rename = func(_ context.Context, old string, v *store.Session, _ uint64) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.sessions, old)
			s.sessions[v.ID] = clone(*v)
			return nil
		}
	}},
	{"renames twice", "race of renames", renaming},
	{"renames and saves", "race of rename and save", func(s *spoiled) { late(s); renaming(s) }},
	{"keeps the old one", "rename", func(s *spoiled) {
		s.rename = func(ctx context.Context, _ string, v *store.Session, _ uint64) error {
			return s.Store.Save(ctx, v, 0)
		}
	}},
}

func expiring(f func(time.Time) time.Time) func(*spoiled) {
	return func(s *spoiled) {
		s.expire = func(ctx context.Context, now time.Time) (int, error) { return s.Store.Expire(ctx, f(now)) }
	}
}

// renaming saves the new one, and deletes the old one after a while.
func renaming(s *spoiled) {
	s.rename = func(ctx context.Context, old string, v *store.Session, base uint64) error {
		was, err := s.Store.Load(ctx, old)
		if err != nil || was.Version != base {
			return store.ErrConflict
		}
		rest()
		if err := s.Store.Save(ctx, v, 0); err != nil {
			return err
		}
		return s.Store.Delete(ctx, old)
	}
}

// expireForGood removes a session that had expired once, whatever has been saved since: in
// whichever order goroutines come, a check sees one that was saved and is not there.
func expireForGood(s *spoiled) {
	var old sync.Map
	s.save = func(ctx context.Context, v *store.Session, base uint64) error {
		if v.Expired(time.Now()) {
			old.Store(v.ID, true)
		}
		return s.Store.Save(ctx, v, base)
	}
	s.expire = func(ctx context.Context, now time.Time) (int, error) {
		n := 0
		for _, v := range s.Sessions() {
			if _, was := old.Load(v.ID); !was {
				continue
			}
			rest() // until it is saved
			n++
			if err := s.Store.Delete(ctx, v.ID); err != nil {
				return n, err
			}
		}
		return n, nil
	}
}
