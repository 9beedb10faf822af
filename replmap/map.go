package replmap

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// Map is a map that all members of a group with a map of its name share. Each has all
// entries. All methods are safe for concurrent use and may be called inside the functions
// given to Watch; [Config] says what its functions may do.
type Map[K comparable, V any] struct {
	cfg Config[K, V]
	r   *replica
	rep replication

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{} // closed when everything has ended
	wg     sync.WaitGroup

	mu             sync.Mutex
	begun, closing bool
}

// New returns a map that tells nobody of itself before Start. The error joins everything
// that is wrong with the configuration.
func New[K comparable, V any](c Config[K, V]) (*Map[K, V], error) {
	s, err := c.settings()
	if err != nil {
		return nil, err
	}
	m := &Map[K, V]{cfg: c, r: &replica{settings: s, writing: newTurns()}, done: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancel(context.WithValue(context.Background(), insideKey{}, m))
	if c.Store != nil {
		m.r.store = m.store
	}
	if c.Tribes != nil {
		m.rep, err = newTribes(m.r, *c.Tribes)
	} else {
		m.rep, err = newNative(m.r)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// insideKey marks the contexts that a map gives to functions, so that Close does not wait
// for who calls it.
type insideKey struct{}

// Start joins the other members that have the map. The group must run. It returns when all
// entries are here, or when ctx ends, with ErrNotReady; the map goes on to try.
func (m *Map[K, V]) Start(ctx context.Context) error {
	local := m.r.group.Local()
	if local == nil {
		return fmt.Errorf("tribes: replmap: group does not run")
	}
	m.mu.Lock()
	if m.closing {
		m.mu.Unlock()
		return ErrClosed
	}
	if !m.begun {
		m.begun = true
		begin := time.Now()
		m.r.table = entry.NewTable(local.ID(), entry.Config{
			Resolve: m.resolver(), Proxies: m.cfg.Backups > 0, Keep: m.cfg.Remember, Changed: m.r.changed,
			MinDiff: m.r.minDiff, Watched: m.r.watched,
			Now: func() time.Duration { return time.Since(begin) },
		})
		m.wg.Go(func() { m.r.sweep(m.ctx) })
	}
	m.mu.Unlock()
	return m.rep.start(ctx)
}

// Ready reports whether all entries are here.
func (m *Map[K, V]) Ready() bool { return m.usable() == nil }

func (m *Map[K, V]) usable() error {
	if m.ctx.Err() != nil {
		return ErrClosed
	}
	if !m.rep.ready() {
		return ErrNotReady
	}
	return nil
}

// Close says goodbye to the other members and waits until everything has ended that the
// map began, or until ctx ends; then it returns the cause. Called with the context that a
// function of the map was given, it begins the end and returns nil. The others keep all
// entries. Closing twice does no harm.
func (m *Map[K, V]) Close(ctx context.Context) error {
	m.mu.Lock()
	first := !m.closing
	m.closing = true
	m.mu.Unlock()
	if first {
		go func() { // ends with done
			m.rep.close()
			m.cancel()
			m.wg.Wait()
			close(m.done)
		}()
	}
	if ctx.Value(insideKey{}) == m {
		return nil
	}
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Get returns the value of a key and whether there is one. It reads what this member has
// and asks nobody but Config.Load. The value is the caller's.
//
// With Config.Backups it asks a member that has the value, if this one has not; then the
// next if that does not answer, and at last all. If none has it the error is [ErrNoHolder]:
// an entry that exists is never said not to be there.
func (m *Map[K, V]) Get(ctx context.Context, key K) (value V, there bool, err error) {
	value, _, there, err = m.GetVersion(ctx, key)
	return value, there, err
}

// Put sets the value of a key. It returns when the other members have it, as Config.Wait
// says; if ctx ends before, with its cause, and the others get it nevertheless.
func (m *Map[K, V]) Put(ctx context.Context, key K, value V) error {
	return m.put(ctx, key, value, entry.Forever)
}

// PutFor is Put with a lifetime: after it the entry is gone on each member. Times are
// durations and no clock of one member is compared with that of another; on others the
// entry ends later by the time that it was on its way.
func (m *Map[K, V]) PutFor(ctx context.Context, key K, value V, lifetime time.Duration) error {
	if err := checkLifetime(lifetime); err != nil {
		return err
	}
	if m.cfg.Tribes != nil {
		return errNotInTribes
	}
	return m.put(ctx, key, value, lifetime)
}

// maxLifetime is that of PutFor: fifty years.
const maxLifetime = 50 * 365 * 24 * time.Hour

func checkLifetime(d time.Duration) error {
	if d <= 0 || d > maxLifetime {
		return fmt.Errorf("tribes: replmap: lifetime %v: want more than 0, at most %v", d, maxLifetime)
	}
	return nil
}

func (m *Map[K, V]) put(ctx context.Context, key K, value V, lifetime time.Duration) error {
	e, err := m.entry(key, &value, lifetime)
	if err != nil {
		return err
	}
	_, err = m.write(ctx, e, nil)
	return err
}

// Delete removes a key and reports whether there was one on this member. What is said of
// Put holds.
func (m *Map[K, V]) Delete(ctx context.Context, key K) (bool, error) {
	e, err := m.entry(key, nil, entry.Forever)
	if err != nil {
		return false, err
	}
	for {
		if err := m.reach(ctx, e.Key); err != nil {
			return false, err
		}
		if done, err := m.write(ctx, e, nil); done || err != nil || !m.elsewhere(e.Key) {
			return done, err
		}
	}
}

// write writes on this member and tells the others.
func (m *Map[K, V]) write(ctx context.Context, e *entry.Entry, condition func(entry.Entry, bool) bool) (bool, error) {
	c, written, err := m.r.write(ctx, e, condition)
	if err != nil || !written {
		return false, err
	}
	return true, m.rep.publish(ctx, &c)
}

// Len returns how many entries there are. Those whose lifetime has ended count for up to a
// second more.
func (m *Map[K, V]) Len() int {
	if m.usable() != nil {
		return 0
	}
	if m.r.keys != nil {
		return len(m.r.keys())
	}
	return m.r.table.Len()
}

// Primary returns the member that decides about conditional writes to a key; it may be
// this one. Every key has one as long as the map is ready: if it leaves, another takes its
// place, and if a member joins, some keys are its. nil while the map is not ready.
func (m *Map[K, V]) Primary(key K) *membership.Member {
	k, err := m.key(key)
	if err != nil || m.usable() != nil {
		return nil
	}
	return m.rep.primary(k)
}

// Members returns the other members that have the map.
func (m *Map[K, V]) Members() []*membership.Member {
	all, _ := m.rep.members()
	return all
}

// Stats returns the numbers of the map.
func (m *Map[K, V]) Stats() Stats {
	s := m.r.n.stats()
	all, current := m.rep.members()
	s.Entries, s.Members, s.Current = m.Len(), len(all), current
	if m.usable() == nil {
		s.Held = m.r.table.Here()
		if m.r.lacking != nil {
			s.Lacking = m.r.lacking()
		}
	}
	return s
}

// key encodes a key.
func (m *Map[K, V]) key(key K) (string, error) {
	b, err := m.cfg.Keys.Append(nil, key)
	if err == nil && len(b) > m.cfg.MaxKey {
		err = fmt.Errorf("%w: key of %d bytes, at most %d", ErrTooLarge, len(b), m.cfg.MaxKey)
	}
	return string(b), err
}

// entry makes an entry to write, nil is to delete. It fails while the map cannot be used.
func (m *Map[K, V]) entry(key K, value *V, lifetime time.Duration) (*entry.Entry, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	k, err := m.key(key)
	if err != nil {
		return nil, err
	}
	e := &entry.Entry{Key: k, Gone: value == nil, Lifetime: lifetime}
	if value != nil {
		e.Value, err = m.value(*value)
	}
	return e, err
}

func (m *Map[K, V]) value(v V) ([]byte, error) {
	b, err := m.cfg.Values.Append([]byte{}, v)
	if err == nil && len(b) > m.cfg.MaxValue {
		err = fmt.Errorf("%w: value of %d bytes, at most %d", ErrTooLarge, len(b), m.cfg.MaxValue)
	}
	return b, err
}

// conditional has a write done by the primary of its key.
func (m *Map[K, V]) conditional(ctx context.Context, e *entry.Entry, w mapwire.Write) (*entry.Entry, bool, error) {
	w.Entry = *e
	return m.rep.conditional(ctx, &w)
}
