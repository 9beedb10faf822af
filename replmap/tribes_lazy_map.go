package replmap

import (
	"context"
	"errors"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

// holders returns the members that are to have the value of a key as far as this one was
// told, the primary first.
func (t *tribesMap) holders(key string) []*membership.Member {
	p, known := t.whose(key)
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
