package replmap

import (
	"context"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// CompareAndSwap sets the value of a key to new if it is old now, compared by their bytes,
// and reports whether it did. The key's primary decides, so of several such writes to a key
// at the same time, on whatever members, one comes after the other. While members join,
// leave or are cut off, two members can take themselves for the primary for a moment; then
// the merge decides between what they wrote. A Put or Delete is not decided by the primary:
// at the same time as a conditional write, one of the two is overruled. While members do
// not agree who the primary is, the call waits; bound it by ctx.
//
// With ErrUncertain nobody knows whether it was written. Otherwise an error says what
// became of a write that was done, as that of Put, or that it was not done.
func (m *Map[K, V]) CompareAndSwap(ctx context.Context, key K, old, new V) (bool, error) {
	e, err := m.entry(key, &new, entry.Forever)
	if err != nil {
		return false, err
	}
	b, err := m.value(old)
	if err != nil {
		return false, err
	}
	_, written, err := m.conditional(ctx, e, mapwire.Write{Condition: mapwire.IfValue, Value: b})
	return written, err
}

// CompareAndDelete removes a key if its value is old now; see CompareAndSwap.
func (m *Map[K, V]) CompareAndDelete(ctx context.Context, key K, old V) (bool, error) {
	e, err := m.entry(key, nil, entry.Forever)
	if err != nil {
		return false, err
	}
	b, err := m.value(old)
	if err != nil {
		return false, err
	}
	_, written, err := m.conditional(ctx, e, mapwire.Write{Condition: mapwire.IfValue, Value: b})
	return written, err
}

// PutIfAbsent sets the value of a key that has none, and reports whether it did. The value
// that is there then is returned too. See CompareAndSwap.
func (m *Map[K, V]) PutIfAbsent(ctx context.Context, key K, value V) (now V, put bool, err error) {
	e, err := m.entry(key, &value, entry.Forever)
	if err != nil {
		return now, false, err
	}
	is, put, err := m.conditional(ctx, e, mapwire.Write{Condition: mapwire.IfAbsent})
	if err != nil || put || is == nil || is.Gone {
		return value, put, err
	}
	now, _, _, err = m.valueOf(ctx, *is, true)
	return now, false, err
}

// Update replaces the value of a key by what f makes of it, and returns that. f is given
// whether there is a value, and returns whether there is to be one. If another write comes
// between, f is called again with what is there then. An error of f ends the update. See
// CompareAndSwap.
func (m *Map[K, V]) Update(ctx context.Context, key K, f func(old V, there bool) (new V, keep bool, err error)) (V, error) {
	return m.update(ctx, key, func(old V, there bool) (V, time.Duration, bool, error) {
		v, keep, err := f(old, there)
		return v, entry.Forever, keep, err
	})
}

// UpdateFor is Update with a lifetime, as that of PutFor, which f returns; 0 is for ever.
func (m *Map[K, V]) UpdateFor(ctx context.Context, key K, f func(old V, there bool) (new V, lifetime time.Duration, keep bool, err error)) (V, error) {
	return m.update(ctx, key, func(old V, there bool) (V, time.Duration, bool, error) {
		v, lifetime, keep, err := f(old, there)
		switch {
		case err != nil || !keep || lifetime == 0:
			lifetime = entry.Forever
		default:
			err = checkLifetime(lifetime)
		}
		return v, lifetime, keep, err
	})
}

func (m *Map[K, V]) update(ctx context.Context, key K, f func(old V, there bool) (V, time.Duration, bool, error)) (V, error) {
	var zero V
	for {
		if err := m.usable(); err != nil {
			return zero, err
		}
		k, err := m.key(key)
		if err != nil {
			return zero, err
		}
		is, there := m.r.table.Get(k)
		old, is, there, err := m.valueOf(ctx, is, there)
		if err != nil {
			return zero, err
		}
		v, lifetime, keep, err := f(old, there)
		if err != nil || !keep && !there {
			return zero, err
		}
		to := &v
		if !keep {
			to = nil
		}
		e, err := m.entry(key, to, lifetime)
		if err != nil {
			return zero, err
		}
		w := mapwire.Write{Condition: mapwire.IfAbsent}
		if there {
			w = m.ifVersion(m.versionOf(is))
		}
		if _, written, err := m.conditional(ctx, e, w); written || err != nil {
			return v, err
		}
		if ctx.Err() != nil {
			return zero, context.Cause(ctx)
		}
	}
}
