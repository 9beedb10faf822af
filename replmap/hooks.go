package replmap

import (
	"context"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// inside marks ctx, if it can be given to functions of the application.
func (m *Map[K, V]) inside(ctx context.Context) context.Context {
	return context.WithValue(ctx, insideKey{}, m)
}

// load asks Config.Load for what is not there, and puts it into the map.
func (m *Map[K, V]) load(ctx context.Context, key K, k string) (v V, ver Version, there bool, err error) {
	e, loaded, err := m.loaded(ctx, key, k)
	if err != nil || e == nil {
		return v, ver, false, err
	}
	if loaded {
		if err := m.rep.publish(ctx, &change{now: *e}); err != nil {
			return v, ver, false, err
		}
	}
	v, is, there, err := m.valueOf(ctx, *e, true)
	return v, m.versionOf(is), there, err
}

// loaded returns the entry that is there then, nil if there is none, and whether it was
// loaded just now.
func (m *Map[K, V]) loaded(ctx context.Context, key K, k string) (*entry.Entry, bool, error) {
	end, err := m.r.writing.take(ctx, k)
	if err != nil {
		return nil, false, err
	}
	defer end()
	if e, there := m.r.table.Get(k); there { // it has come meanwhile
		return &e, false, nil
	}
	v, there, err := m.cfg.Load(m.inside(ctx), key)
	if err != nil || !there {
		return nil, false, err
	}
	b, err := m.value(v)
	if err != nil {
		return nil, false, err
	}
	e, written := m.r.table.Write(entry.Entry{Key: k, Value: b, Lifetime: entry.Forever},
		func(_ entry.Entry, there bool) bool { return !there })
	return &e, written, nil
}

// store tells Config.Store of a write.
func (m *Map[K, V]) store(ctx context.Context, e *entry.Entry) error {
	key, err := m.cfg.Keys.Decode([]byte(e.Key))
	if err != nil {
		return err
	}
	if e.Gone {
		return m.cfg.Store(m.inside(ctx), key, nil)
	}
	v, err := m.cfg.Values.Decode(e.Value)
	if err != nil {
		return err
	}
	return m.cfg.Store(m.inside(ctx), key, &v)
}

// resolver is Config.Resolve on bytes. What cannot be decoded or encoded is resolved by
// version.
func (m *Map[K, V]) resolver() entry.Resolver {
	if m.cfg.Resolve == nil {
		return nil
	}
	decode := func(e *entry.Entry) (*V, error) {
		if e.Gone {
			return nil, nil
		}
		v, err := m.cfg.Values.Decode(e.Value)
		return &v, err
	}
	return func(older, newer *entry.Entry) ([]byte, bool) {
		key, err := m.cfg.Keys.Decode([]byte(newer.Key))
		a, errA := decode(older)
		b, errB := decode(newer)
		if err != nil || errA != nil || errB != nil {
			return newer.Value, newer.Gone
		}
		v := m.cfg.Resolve(key, a, b)
		if v == nil {
			return nil, true
		}
		p, err := m.value(*v)
		if err != nil {
			return newer.Value, newer.Gone
		}
		return p, false
	}
}

// Watch calls f for each entry that is there, as Added, and from then on for what happens
// to entries, here or on other members. Calls come one after the other, those of one key in
// order. A function that is slow is not told of every step: it is told of the difference
// between what it knows of a key and what is.
//
// f may call every method; with its context, Close does not wait for it. After stop no call
// begins.
func (m *Map[K, V]) Watch(f func(ctx context.Context, e Event[K, V])) (stop func()) {
	return m.watch(&watcher{}, f)
}

// WatchKey is Watch for one key. A key that cannot be encoded has no events.
func (m *Map[K, V]) WatchKey(key K, f func(ctx context.Context, e Event[K, V])) (stop func()) {
	k, err := m.key(key)
	if err != nil {
		return func() {}
	}
	return m.watch(&watcher{one: true, only: k}, f)
}

func (m *Map[K, V]) watch(w *watcher, f func(context.Context, Event[K, V])) (stop func()) {
	w.tell = func(c entry.Change) {
		if e, ok := m.event(c); ok {
			f(m.ctx, e)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return func() {}
	}
	m.r.watch(w)
	ctx, cancel := context.WithCancel(m.ctx)
	m.wg.Go(func() { w.run(ctx) })
	return func() {
		m.r.unwatch(w)
		cancel()
	}
}

// event decodes a change; ok is false for what cannot be decoded.
func (m *Map[K, V]) event(c entry.Change) (e Event[K, V], ok bool) {
	var err error
	if e.Key, err = m.cfg.Keys.Decode([]byte(c.Key)); err != nil {
		return e, false
	}
	if e.OldHere = c.Had && !c.OldProxy; e.OldHere {
		if e.Old, err = m.cfg.Values.Decode(c.Old); err != nil {
			return e, false
		}
	}
	if e.NewHere = c.Has && !c.NewProxy; e.NewHere {
		if e.New, err = m.cfg.Values.Decode(c.New); err != nil {
			return e, false
		}
	}
	switch {
	case !c.Had:
		e.Kind = Added
	case c.Has:
		e.Kind = Changed
	case c.Expired:
		e.Kind = Expired
	default:
		e.Kind = Removed
	}
	return e, true
}
