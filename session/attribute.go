package session

import (
	"errors"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

// Get returns a copy of an attribute and whether it is there. Its error is an
// [*AttributeError] with ErrType if the value does not fit T, for instance as an older
// version of the program has set it.
func Get[T any](s *Session, name string) (T, bool, error) {
	val, _ := s.value(name)
	v, ok, err := As[T](val)
	return v, ok, wrap("get", name, err)
}

// Set stores a copy of v. It makes a session if there is none, unless the error is not
// nil: an [*AttributeError] with ErrUnsupported, a [*LimitError], ErrHeaderWritten,
// ErrEnded, ErrClosed or ErrNoSession. Then nothing has changed.
//
// An integer of a built-in type is kept as a number, see [Session.Add].
func Set[T any](s *Session, name string, v T) error {
	_, err := s.set(name, v, nil)
	return wrap("set", name, err)
}

// Update replaces an attribute by what f makes of it; f gets the zero value if it is not
// there. If another request has changed it meanwhile, f is called again with a fresh
// copy: no change is lost, and f should have no other effects. No lock is held while f
// runs. An error of f is returned as it is, and nothing has changed; others are as of Get
// and Set.
func Update[T any](s *Session, name string, f func(v *T) error) error {
	for {
		val, at := s.value(name)
		v, _, err := As[T](val)
		if err != nil {
			return wrap("update", name, err)
		}
		if err := f(&v); err != nil {
			return err
		}
		if done, err := s.set(name, v, &at); done || err != nil {
			return wrap("update", name, err)
		}
	}
}

// Key is the name of an attribute together with its type, so that they are written down
// once:
//
//	var cart = session.Key[Cart]("cart")
type Key[T any] string

// Get is [Get] of the attribute.
func (k Key[T]) Get(s *Session) (T, bool, error) { return Get[T](s, string(k)) }

// Set is [Set] of the attribute.
func (k Key[T]) Set(s *Session, v T) error { return Set(s, string(k), v) }

// Update is [Update] of the attribute.
func (k Key[T]) Update(s *Session, f func(v *T) error) error { return Update(s, string(k), f) }

// Delete is [Session.Delete] of the attribute.
func (k Key[T]) Delete(s *Session) (bool, error) { return s.Delete(string(k)) }

// Has reports whether there is an attribute of this name.
func (s *Session) Has(name string) bool {
	val, _ := s.value(name)
	return val.Exists()
}

// Add adds to a number and returns the sum. A name that holds nothing begins as 0; one
// that does not hold a number fails with ErrNotNumber. However many requests add at the
// same time, each is counted. Otherwise it is like [Set]; to add 0 makes no session.
func (s *Session) Add(name string, delta int64) (int64, error) {
	if delta == 0 && s.held() == nil {
		return 0, nil
	}
	var old, val Value
	err := s.write(func(h *held) error {
		old = s.m.valueOf(h, name)
		if s.m.config.LocalOnly(name) {
			n, ok := old.local.(int64)
			if old.here && !ok {
				return ErrNotNumber
			}
			val = Value{local: n + delta, here: true}
			return s.m.keep(h, name, n+delta)
		}
		n, err := h.Rec.Add(name, delta)
		val = s.m.wrap(record.Value{Kind: record.Number, Number: n})
		return err
	})
	if err != nil {
		return 0, wrap("add", name, err)
	}
	s.told(s.m.config.Listener.AttributeSet, name, old, val)
	n, _, err := As[int64](val)
	return n, err
}

// Delete removes an attribute and reports whether it was there. It makes no session.
func (s *Session) Delete(name string) (bool, error) {
	if s.m != nil && s.held() == nil {
		return false, nil
	}
	var old Value
	err := s.write(func(h *held) error {
		if old = s.m.valueOf(h, name); !old.Exists() {
			return nil
		}
		if old.here {
			delete(h.Local, name)
			return nil
		}
		_, err := h.Rec.Delete(name)
		return err
	})
	if err != nil {
		return false, wrap("delete", name, err)
	}
	if old.Exists() {
		s.told(s.m.config.Listener.AttributeRemoved, name, old, Value{})
	}
	return old.Exists(), nil
}

// stamp is the state that a value was read in.
type stamp struct {
	h       *held
	version record.Version
	local   uint64
}

var errChanged = errors.New("changed meanwhile")

// value returns an attribute as it is now.
func (s *Session) value(name string) (val Value, at stamp) {
	s.view(func(h *held) {
		val, at = s.m.valueOf(h, name), stampOf(h, name)
	})
	return val, at
}

func stampOf(h *held, name string) stamp {
	return stamp{h: h, version: h.Rec.Version(name), local: h.Local[name].Version}
}

// set stores a value; if at is not nil only if nothing has changed since, which it
// reports.
func (s *Session) set(name string, v any, at *stamp) (bool, error) {
	if s.m == nil {
		return false, ErrNoSession
	}
	val, err := s.m.newValue(name, v)
	if err != nil {
		return false, err
	}
	var old Value
	err = s.write(func(h *held) error {
		if at != nil && *at != (stamp{}) && *at != stampOf(h, name) {
			return errChanged
		}
		if at != nil && *at == (stamp{}) && s.m.valueOf(h, name).Exists() {
			return errChanged // made by another goroutine of this request
		}
		old = s.m.valueOf(h, name)
		return s.m.store(h, name, val)
	})
	if errors.Is(err, errChanged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.told(s.m.config.Listener.AttributeSet, name, old, val)
	return true, nil
}

func (s *Session) told(f func(Event), name string, old, val Value) {
	if f != nil {
		f(Event{ID: s.ID(), Name: name, Old: old, New: val})
	}
}

func (m *Manager) wrap(v record.Value) Value { return Value{codec: m.config.Codec, rec: v} }

// newValue makes what is stored under a name.
func (m *Manager) newValue(name string, v any) (Value, error) {
	if m.config.LocalOnly(name) {
		return Value{local: v, here: true}, nil
	}
	enc, err := encode(m.config.Codec, v)
	return m.wrap(enc), err
}

// valueOf returns an attribute. The caller holds h.Mu, if only for reading.
func (m *Manager) valueOf(h *held, name string) Value {
	if l, ok := h.Local[name]; ok {
		return Value{local: l.V, here: true}
	}
	v, _ := h.Rec.Get(name)
	return m.wrap(v)
}

// store sets an attribute. The caller holds h.Mu.
func (m *Manager) store(h *held, name string, val Value) error {
	switch {
	case val.here:
		return m.keep(h, name, val.local)
	case val.rec.Kind == record.Number:
		return h.Rec.SetNumber(name, val.rec.Number)
	}
	return h.Rec.Set(name, val.rec.Bytes)
}

// keep sets an attribute that stays on this node. The caller holds h.Mu.
func (m *Manager) keep(h *held, name string, v any) error {
	if _, ended := h.Rec.Ended(); ended {
		return ErrEnded
	}
	limit := &m.config.Limits
	switch _, there := h.Local[name]; {
	case name == "":
		return ErrEmpty
	case len(name) > limit.NameBytes:
		return &LimitError{Err: ErrNameTooLong, Have: len(name), Max: limit.NameBytes}
	case !there && h.Rec.Len()+len(h.Local) >= limit.Attributes:
		return &LimitError{Err: ErrTooManyAttributes, Have: h.Rec.Len() + len(h.Local) + 1, Max: limit.Attributes}
	case h.Local == nil:
		h.Local = make(map[string]localValue)
	}
	h.Local[name] = table.NewLocal(v)
	return nil
}
