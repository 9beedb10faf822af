package gorilla

import (
	"bytes"
	"reflect"
	"runtime"
	"sync"
	"weak"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/session"
)

// state is what a session was when this request has loaded or saved it.
type state struct {
	id   string // "" if it was new
	data []byte // of all its values
}

type key = weak.Pointer[sessions.Session]

// states has the state of each session that a program holds: there is no place for it in the
// session itself that programs do not overwrite.
type states struct {
	mu sync.Mutex
	of map[key]*state
}

func (m *states) put(x *sessions.Session, st *state) {
	k := weak.Make(x)
	m.mu.Lock()
	m.of[k] = st
	m.mu.Unlock()
	runtime.AddCleanup(x, func(k key) {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.of, k)
	}, k)
}

// get returns the state of a session; one that a program has made itself is new.
func (m *states) get(x *sessions.Session) *state {
	m.mu.Lock()
	st := m.of[weak.Make(x)]
	m.mu.Unlock()
	if st == nil {
		st = new(state)
		m.put(x, st)
	}
	return st
}

// merge takes into x what other requests have changed since it was loaded, where x itself has
// not changed. The caller holds the lock of the session.
func (s *Store) merge(x *sessions.Session, st *state) error {
	data, found, err := s.data.Find(token(x.Name(), st.id))
	if err != nil {
		return err
	}
	if !found {
		return session.ErrEnded
	}
	if bytes.Equal(data, st.data) {
		return nil
	}
	var was, is map[any]any
	if err := s.decode(st.data, &was); err != nil {
		return err
	}
	if err := s.decode(data, &is); err != nil {
		return err
	}
	for k, v := range is {
		if _, mine := x.Values[k]; mine == has(was, k) && (!mine || reflect.DeepEqual(x.Values[k], was[k])) {
			put(x, k, v)
		}
	}
	for k, v := range was {
		if !has(is, k) && has(x.Values, k) && reflect.DeepEqual(x.Values[k], v) {
			delete(x.Values, k) // by another request
		}
	}
	st.data = data
	return nil
}

func has(m map[any]any, k any) bool {
	_, ok := m[k]
	return ok
}

// put sets a value of a session whose map a program may have set to nil.
func put(x *sessions.Session, k, v any) {
	if x.Values == nil {
		x.Values = make(map[any]any)
	}
	x.Values[k] = v
}
