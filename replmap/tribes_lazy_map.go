package replmap

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

// ErrNoHolder is the error of what needs the value of an entry that is there, while no
// member that can be asked has it: with [Tribes].Lazy both that had it can be gone.
var ErrNoHolder = errors.New("tribes: replmap: no member with the value answers")

// Keys goes through the keys that the map has as far as this member knows, in no order:
// with Tribes.Lazy also those whose values are elsewhere, which All leaves out. What cannot
// be decoded is left out. While the map is not ready there is nothing.
func (m *Map[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		if m.usable() != nil {
			return
		}
		keys := func(yield func(string) bool) {
			for e := range m.r.table.All() {
				if !yield(e.Key) {
					return
				}
			}
		}
		if t, ok := m.rep.(*tribesMap); ok && t.cfg.Lazy {
			keys = slices.Values(t.keys())
		}
		for key := range keys {
			if k, err := m.cfg.Keys.Decode([]byte(key)); err == nil && !yield(k) {
				return
			}
		}
	}
}

// Holders returns the members that have the value of a key, its primary first; this one may
// be one of them. With Tribes it is what this member was told; without, nil.
func (m *Map[K, V]) Holders(key K) []*membership.Member {
	t, ok := m.rep.(*tribesMap)
	k, err := m.key(key)
	if err != nil || m.usable() != nil || !ok {
		return nil
	}
	p, known := t.whose(k)
	if !known || p.primary == nil {
		return nil
	}
	return append([]*membership.Member{p.primary}, p.nodes...)
}

// find looks for an entry that this member may have no value of.
func (m *Map[K, V]) find(ctx context.Context, key string) (e entry.Entry, there bool, err error) {
	if t, ok := m.rep.(*tribesMap); ok && t.cfg.Lazy {
		return t.find(ctx, key)
	}
	return e, false, nil
}

// elsewhere reports whether there is a key whose value is not here: it may have moved away
// again since it was found.
func (m *Map[K, V]) elsewhere(key string) bool {
	t, ok := m.rep.(*tribesMap)
	if !ok || !t.cfg.Lazy {
		return false
	}
	_, known := t.whose(key)
	return known
}

// reach is find before a key is deleted: one whose value nobody has any more can be, too.
func (m *Map[K, V]) reach(ctx context.Context, key string) error {
	_, _, err := m.find(ctx, key)
	if !errors.Is(err, ErrNoHolder) {
		return err
	}
	t := m.rep.(*tribesMap)
	if p, known := t.whose(key); known {
		t.drop(key, p.told)
	}
	to, _ := t.members()
	return t.spread(ctx, to, key)
}
