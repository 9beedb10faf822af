package replmap

import (
	"context"
	"iter"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// Version says which write an entry is of. Versions are compared with ==: while that of a
// key is the same, so is its value. The zero Version is that of no entry.
type Version struct{ state entry.State }

// IsZero reports whether v is the Version of no entry.
func (v Version) IsZero() bool { return v == Version{} }

// Version returns the version of the entry of a key, and whether there is one. It reads
// what this member has and asks nobody, also where the value is elsewhere: so it is cheap
// to find out whether a value that was read with [Map.GetVersion] is still the one.
func (m *Map[K, V]) Version(key K) (v Version, there bool) {
	k, err := m.key(key)
	if err != nil || m.usable() != nil {
		return v, false
	}
	get := m.r.table.Get
	if m.cfg.Backups > 0 { // then the sum of the value is there without it
		get = m.r.table.Peek
	}
	e, there := get(k)
	if !there {
		return v, false
	}
	return m.versionOf(e), true
}

// versionOf returns the version of a state. What was resolved has the version of one of the
// two writes and another value.
func (m *Map[K, V]) versionOf(e entry.Entry) Version {
	if !e.Proxy && !e.Gone && e.Sum == 0 && (m.cfg.Backups > 0 || m.cfg.Resolve != nil) {
		e.Sum = entry.ValueSum(e.Value)
	}
	return Version{e.State()}
}

// PutVersion is [Map.Put], or [Map.PutFor] if lifetime is not 0, and returns the version of
// what it has written; also with an error, if it has written nevertheless.
func (m *Map[K, V]) PutVersion(ctx context.Context, key K, value V, lifetime time.Duration) (Version, error) {
	e, err := m.entryFor(key, value, lifetime)
	if err != nil {
		return Version{}, err
	}
	c, written, err := m.r.write(ctx, e, nil)
	if err != nil || !written {
		return Version{}, err
	}
	return m.versionOf(c.now), m.rep.publish(ctx, &c)
}

// PutIfVersion is PutVersion if the entry has the version now, or if there is none and the
// version is zero, and reports whether it was. Otherwise it returns the version that is
// there, which is zero if there is nothing. Nobody needs the old value. See
// [Map.CompareAndSwap].
func (m *Map[K, V]) PutIfVersion(ctx context.Context, key K, value V, lifetime time.Duration, old Version) (now Version, put bool, err error) {
	e, err := m.entryFor(key, value, lifetime)
	if err != nil {
		return now, false, err
	}
	w := mapwire.Write{Condition: mapwire.IfAbsent}
	if !old.IsZero() {
		w = m.ifVersion(old)
	}
	is, put, err := m.conditional(ctx, e, w)
	if is != nil && !is.Gone && is.Lifetime != 0 { // 0: it has ended, and that has not been told yet
		now = m.versionOf(*is)
	}
	return now, put, err
}

// ifVersion is the condition that an entry has a version, and its value if that counts.
func (m *Map[K, V]) ifVersion(v Version) mapwire.Write {
	w := mapwire.Write{Condition: mapwire.IfVersion, Version: v.state.Version}
	if m.cfg.Resolve != nil {
		w.Has = &v.state
	}
	return w
}

// entryFor makes an entry to write with a lifetime; 0 is for ever.
func (m *Map[K, V]) entryFor(key K, value V, lifetime time.Duration) (*entry.Entry, error) {
	if lifetime == 0 {
		return m.entry(key, &value, entry.Forever)
	}
	if err := checkLifetime(lifetime); err != nil {
		return nil, err
	}
	if m.cfg.Tribes != nil {
		return nil, errNotInTribes
	}
	return m.entry(key, &value, lifetime)
}

// Has reports whether there is an entry of a key. It reads what this member has and asks
// nobody, also where the value is elsewhere; but with Tribes.Lazy only those count that are
// here.
func (m *Map[K, V]) Has(key K) bool {
	_, there := m.Version(key)
	return there
}

// GetVersion is [Map.Get] with the version of the value.
func (m *Map[K, V]) GetVersion(ctx context.Context, key K) (value V, v Version, there bool, err error) {
	if err := m.usable(); err != nil {
		return value, v, false, err
	}
	k, err := m.key(key)
	if err != nil {
		return value, v, false, err
	}
	e, there := m.r.table.Get(k)
	if !there {
		if e, there, err = m.find(ctx, k); err != nil {
			return value, v, false, err
		}
	}
	if !there && m.cfg.Load != nil {
		return m.load(ctx, key, k)
	}
	value, e, there, err = m.valueOf(ctx, e, there)
	if there {
		v = m.versionOf(e)
	}
	return value, v, there, err
}

// valueOf returns the value of an entry, and the state that it is of: a later one if the
// value had to be fetched and another write came between.
func (m *Map[K, V]) valueOf(ctx context.Context, e entry.Entry, there bool) (V, entry.Entry, bool, error) {
	var v V
	var err error
	if there && e.Proxy {
		if e, there, err = m.r.fetch(ctx, e.Key); err != nil {
			return v, e, false, err
		}
	}
	if !there {
		return v, e, false, nil
	}
	v, err = m.cfg.Values.Decode(e.Value)
	return v, e, err == nil, err
}

// Holders returns the members that are to have the value of a key, its primary first; this
// one may be one of them. Without Config.Backups that is all that have all entries; with
// Config.Tribes what this member was told. While members come and go, values are on their way
// to them, and still with others.
func (m *Map[K, V]) Holders(key K) []*membership.Member {
	k, err := m.key(key)
	if err != nil || m.usable() != nil || m.r.placed == nil {
		return nil
	}
	return m.r.placed(k)
}

// Keys goes through the keys of all entries, in no order, and asks nobody. What cannot be
// decoded is left out. While the map is not ready there is nothing.
func (m *Map[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		if m.usable() != nil {
			return
		}
		for key := range m.r.allKeys() {
			if k, err := m.cfg.Keys.Decode([]byte(key)); err == nil && !yield(k) {
				return
			}
		}
	}
}

// All goes through the entries, in no order; each is as it was at some moment of the walk.
// What cannot be decoded is left out. While the map is not ready there is nothing.
//
// With Config.Backups it asks other members for the values that are not here, in blocks of
// Config.BlockEntries. What no member has that answers is left out, which Stats.Unreachable
// counts; [Map.Keys] has it, and Get says what is wrong. With Tribes.Lazy it asks nobody and
// leaves out what is elsewhere.
func (m *Map[K, V]) All() iter.Seq2[K, V] { return m.walk(true) }

// Local is [Map.All] for the entries whose values are on this member; it asks nobody.
func (m *Map[K, V]) Local() iter.Seq2[K, V] { return m.walk(false) }

func (m *Map[K, V]) walk(all bool) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.usable() != nil {
			return
		}
		var elsewhere []string
		for e := range m.r.table.All() {
			if e.Proxy {
				if all {
					elsewhere = append(elsewhere, e.Key)
				}
			} else if !m.hand(e, yield) {
				return
			}
			if len(elsewhere) == m.r.blockEntries {
				if !m.handAll(elsewhere, yield) {
					return
				}
				elsewhere = elsewhere[:0]
			}
		}
		m.handAll(elsewhere, yield)
	}
}

// hand gives an entry to who walks, unless it cannot be decoded.
func (m *Map[K, V]) hand(e entry.Entry, yield func(K, V) bool) bool {
	k, err := m.cfg.Keys.Decode([]byte(e.Key))
	v, err2 := m.cfg.Values.Decode(e.Value)
	return err != nil || err2 != nil || yield(k, v)
}

// handAll is hand for entries whose values are elsewhere.
func (m *Map[K, V]) handAll(keys []string, yield func(K, V) bool) bool {
	if len(keys) == 0 {
		return true
	}
	for _, e := range m.r.gather(m.ctx, keys) {
		if !m.hand(e, yield) {
			return false
		}
	}
	return true
}
