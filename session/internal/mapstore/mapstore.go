package mapstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap"
	"github.com/gotribes/tribes/session/store"
)

// Config is how a [Store] is set up.
type Config struct {
	// Group is the member of the group. It must run before [Store.Start], and be stopped
	// after [Store.Close]. Required.
	Group *group.Group
	// Name is that of the sessions, the same on all members; at most [MaxName] bytes.
	Name string
	// Wait says what a save promises when it returns; other than with WaitAll, a load asks
	// the primary of the session. Budget is how long a member may be
	// silent while saves wait for it; 0 means 500 ms.
	Wait   replmap.Wait
	Budget time.Duration
	// MaxData is the most bytes that a session may have; 0 means [DefaultMaxData].
	MaxData int
	// Backups is how many members beside the primary have a session; all others know where
	// it is. 0 means that all members have all sessions. The same on all members.
	Backups int
	// Merge makes one of two saves that were made without knowledge of each other. Each
	// member calls it, so the result must depend on the arguments alone; b is what was
	// written later. Data and Timeout of the result are used. nil, or an error, leaves the
	// one with the higher version.
	Merge func(a, b *store.Session) (*store.Session, error)
	// Logger is told of members that come, go and do not answer; nil discards.
	Logger *slog.Logger
}

const (
	// MaxName is the length of the longest name in bytes.
	MaxName = 150
	// DefaultMaxData is the default of Config.MaxData.
	DefaultMaxData = 16 << 20
	prefix         = "sessions:"
)

// Store keeps sessions in a map that members of a group share. It is safe for concurrent use.
type Store struct {
	m       *replmap.Map[string, saved]
	group   *group.Group
	maxData int
	asks    bool // the primary, before a session is read
	tells   bool // deletions are entries
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Lister = (*Store)(nil)
)

// New returns a store that is not started.
func New(c Config) (*Store, error) {
	if len(c.Name) > MaxName {
		return nil, fmt.Errorf("tribes: store: name of %d bytes, want at most %d", len(c.Name), MaxName)
	}
	if c.MaxData == 0 {
		c.MaxData = DefaultMaxData
	}
	if c.MaxData < 0 {
		return nil, fmt.Errorf("tribes: store: MaxData %d: want a positive number", c.MaxData)
	}
	tells := c.Backups == 0 // what deletions are kept as has no place among proxies
	rc := replmap.Config[string, saved]{
		Group: c.Group, Name: prefix + c.Name, Keys: replmap.String(), Values: codec{},
		Backups: c.Backups, Wait: c.Wait, Budget: c.Budget,
		Resolve: resolver(c.Merge, tells),
		MaxKey:  store.MaxID, MaxValue: c.MaxData + tailSize, Remember: time.Hour, Logger: c.Logger,
	}
	if tells {
		rc.Remember = remember
	}
	m, err := replmap.New(rc)
	if err != nil {
		return nil, err
	}
	return &Store{m: m, group: c.Group, maxData: c.MaxData, asks: c.Wait != replmap.WaitAll, tells: tells}, nil
}

// remember is how long members know that an entry has expired: only so long as it takes
// until it has expired on all of them. Deletions are entries of their own.
const remember = 5 * time.Minute

// Start joins the other members that have the store. The group must run. It returns when
// all sessions can be found, or when ctx ends; the store goes on to try.
func (m *Store) Start(ctx context.Context) error { return m.m.Start(ctx) }

// Ready reports whether all sessions can be found.
func (m *Store) Ready() bool { return m.m.Ready() }

// Close leaves the other members, which keep what they have, and waits until everything has
// ended, or until ctx ends.
func (m *Store) Close(ctx context.Context) error { return m.m.Close(ctx) }

// Stats returns the numbers of the map.
func (m *Store) Stats() replmap.Stats { return m.m.Stats() }

// Len returns how many sessions there are. Those that have expired count for up to a second
// more.
func (m *Store) Len() int {
	if !m.tells {
		return m.m.Len()
	}
	n := 0
	for range m.live() {
		n++
	}
	return n
}

// Holds reports whether this member is to have a session.
func (m *Store) Holds(id string) bool {
	self := m.group.Local()
	if self == nil || m.tells {
		return self != nil
	}
	return slices.ContainsFunc(m.m.Holders(id), func(h *membership.Member) bool { return h.ID() == self.ID() })
}

// MaxData is that of the Config, or its default.
func (m *Store) MaxData() int { return m.maxData }

// Load implements [store.Store].
func (m *Store) Load(ctx context.Context, id string) (*store.Session, error) {
	if err := store.CheckID(id); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.asks {
		if err := m.latest(ctx, id); err != nil {
			return nil, failed(err)
		}
	}
	v, there, err := m.m.Get(ctx, id)
	if err == nil && (!there || v.deleted) && !m.asks {
		// This member may be one that saves do not wait for any more.
		if err := m.latest(ctx, id); err != nil {
			return nil, failed(err)
		}
		v, there, err = m.m.Get(ctx, id)
	}
	switch {
	case err != nil:
		return nil, failed(err)
	case !there || v.deleted:
		return nil, store.ErrNotFound
	}
	s := v.session(id)
	s.Data = bytes.Clone(s.Data) // the map has it, too
	return s, nil
}

// Mark returns a value that is another one after each change of a session, from the memory
// of this member; nil if that does not know of every save.
func (m *Store) Mark(id string) any {
	if v, there := m.m.Version(id); there && !m.asks {
		return v
	}
	return nil
}

// latest has the primary tell this member what it has of a session: where saves do not wait
// for all members, this one may not have heard of the last. It is a conditional write whose
// condition never holds.
func (m *Store) latest(ctx context.Context, id string) error {
	never := saved{onces: []Once{NewOnce()}, version: 1}
	for try := 1; ; try++ {
		_, err := m.m.CompareAndSwap(ctx, id, never, never)
		if !errors.Is(err, replmap.ErrUncertain) || try == maxTries {
			return err
		}
	}
}

// Touch implements [store.Store].
func (m *Store) Touch(ctx context.Context, id string, accessed time.Time) error {
	return m.TouchAged(ctx, id, accessed, time.Since(accessed))
}

// TouchAged is Touch of a session that was used age ago.
func (m *Store) TouchAged(ctx context.Context, id string, accessed time.Time, age time.Duration) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	return m.update(ctx, id, age, func(v saved, there bool) (saved, error) {
		switch at := accessed.UnixMilli(); {
		case !there || v.deleted:
			return v, store.ErrNotFound
		case at <= v.accessed:
			return v, errDone
		default:
			v.accessed = at
			return v, nil
		}
	})
}

// Delete implements [store.Store].
func (m *Store) Delete(ctx context.Context, id string) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	return m.update(ctx, id, 0, func(old saved, there bool) (saved, error) {
		if !there || old.deleted {
			return old, errDone
		}
		return saved{deleted: true, onces: old.onces}, nil
	})
}

// errDone ends an update that has nothing to do.
var errDone = errors.New("done")

// maxTries is how often a save is tried whose decision was lost with a member.
const maxTries = 4

// update replaces what is kept of a session. f can be called several times.
func (m *Store) update(ctx context.Context, id string, age time.Duration, f func(saved, bool) (saved, error)) error {
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := m.m.UpdateFor(ctx, id, func(old saved, there bool) (saved, time.Duration, bool, error) {
			v, err := f(old, there)
			return v, v.lifetime(age), m.tells || !v.deleted, err
		})
		if errors.Is(err, replmap.ErrUncertain) && try < maxTries {
			continue
		}
		return failed(err)
	}
}

// IDs implements [store.Lister].
func (m *Store) IDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if !m.Ready() {
			yield("", replmap.ErrNotReady)
			return
		}
		list := m.m.Keys()
		if m.tells {
			list = m.live()
		}
		for id := range list {
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

// live goes through the keys of entries that are no deletions.
func (m *Store) live() iter.Seq[string] {
	return func(yield func(string) bool) {
		for id, v := range m.m.All() {
			if !v.deleted && !yield(id) {
				return
			}
		}
	}
}
