package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
)

// Session is the session of a request. There is none in memory until something is set;
// until then reads find nothing. Requests of one client that run at the same time have
// a Session each and share what is in it. The methods can be called from any number of
// goroutines, also after the request.
type Session struct {
	m     *Manager    // nil: outside of a handler
	wrote atomic.Bool // this request has changed the session

	mu sync.Mutex
	// The rest is guarded by mu, which is taken before that of held.
	h       *held          // nil: there is none yet
	over    []*held        // invalidated by this request
	pinned  []*held        // stay in memory as long as the request lasts
	isNew   bool           // made by this request
	send    bool           // the client needs a cookie
	mine    ID             // that this request has given the session
	came    ID             // that the client has sent, and that led to the session
	proved  string         // user that this request has logged in
	login   record.Version // of the login that this request knows of
	known   bool           // the client has sent an id that led to a session
	used    bool           // somebody has looked
	written bool           // the header is out: no cookie any more
	routed  bool           // the client has sent the route cookie of this node
	primary bool           // the request before was on this node
	alone   bool           // outside of a request, or after it: nobody else commits
	old     ID             // that the client sent, if it has another route
	timeout *time.Duration // for the session that is to come
}

type contextKey struct{}

// From returns the session of a request; it is never nil. In a request that has not
// come through [Manager.Handler], or that Config.Skip leaves out, reads find nothing and
// writes fail with ErrNoSession.
func From(r *http.Request) *Session { return FromContext(r.Context()) }

// FromContext is From for the context of a request.
func FromContext(ctx context.Context) *Session {
	if s, ok := ctx.Value(contextKey{}).(*Session); ok {
		return s
	}
	return &Session{written: true}
}

func (s *Session) held() *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.h
}

// view runs f on the record, if there is one, while nobody writes to it.
func (s *Session) view(f func(h *held)) {
	h := s.held()
	for i := 0; h != nil; i++ {
		h.Mu.RLock()
		if !swappedOut(h) || i == maxReloads {
			break
		}
		h.Mu.RUnlock()
		again, err := s.reload(h)
		if err != nil { // what was known last
			h.Mu.RLock()
			break
		}
		h = again
	}
	if h != nil {
		defer h.Mu.RUnlock()
		f(h)
	}
}

// maxReloads is how often a session is loaded again that leaves memory at once.
const maxReloads = 10

// reload finds a session again that has left memory: only outside of a request it does.
func (s *Session) reload(h *held) (*held, error) {
	again, err := s.m.look(h.ID())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.h == h {
		s.h = again
	}
	return again, nil
}

// write runs f on the record while nobody else uses it. If there is no session yet it
// is made, unless f fails.
func (s *Session) write(f func(h *held) error) error {
	if s.m == nil {
		return ErrNoSession
	}
	s.mu.Lock()
	s.used = true
	if h := s.h; h != nil {
		s.mu.Unlock()
		return s.change(h, f)
	}
	id, h, err := s.create(f)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.m.n.created.Add(1)
	tell(s.m.config.Listener.Created, Event{ID: id})
	return s.save(h, nil)
}

// change runs f on a session that there is.
func (s *Session) change(h *held, f func(h *held) error) error {
	f = s.noting(f)
	err := s.m.write(h, f)
	for i := 0; i < maxReloads && errors.Is(err, errSwapped); i++ {
		if h, err = s.reload(h); err != nil {
			return err
		}
		if h == nil {
			return ErrEnded
		}
		err = s.m.write(h, f)
	}
	return s.save(h, err)
}

// noting is f that notes whether it has changed something.
func (s *Session) noting(f func(h *held) error) func(h *held) error {
	return func(h *held) error {
		err := f(h)
		if err == nil && h.Rec.Pending() {
			s.wrote.Store(true)
		}
		return err
	}
}

// save commits what was written outside of a request, or what is not to wait for its end.
func (s *Session) save(h *held, err error) error {
	s.mu.Lock()
	now := s.alone || s.m.config.Persist != nil && s.m.config.Persist.WriteThrough
	s.mu.Unlock()
	if err != nil || !now {
		return err
	}
	return s.m.b.Commit(context.Background(), h)
}

// create makes a session with what f writes in it. The caller holds s.mu.
func (s *Session) create(f func(h *held) error) (ID, *held, error) {
	if s.written {
		return "", nil, ErrHeaderWritten
	}
	if err := s.m.b.Usable(); err != nil {
		return "", nil, err
	}
	h, id, timeout := s.m.b.Create(), newID(s.m.idRoute()), s.m.config.Timeout
	if s.timeout != nil {
		timeout = *s.timeout
	}
	now := s.m.b.Now()
	if err := h.Begin(string(id), timeout, now); err != nil {
		return "", nil, err
	}
	if err := f(h); err != nil {
		return "", nil, err
	}
	if err := s.m.add(h); err != nil {
		return "", nil, err
	}
	s.h, s.isNew, s.mine, s.send, s.login = h, true, id, true, h.Rec.LoginVersion()
	s.pinned = append(s.pinned, h)
	s.wrote.Store(true)
	return id, h, nil
}

// add makes a new session known.
func (m *Manager) add(h *held) error {
	m.b.Wrote(h)
	err := m.b.Add(h)
	if errors.Is(err, ErrTooManySessions) {
		m.n.refused.Add(1)
	}
	return err
}

// idRoute returns the route that ids get.
func (m *Manager) idRoute() string {
	if m.config.Cookie.RouteName != "" {
		return ""
	}
	return m.config.Route
}

// ID returns the current id, "" if there is no session.
func (s *Session) ID() (id ID) {
	s.view(func(h *held) { id = ID(h.Rec.ID()) })
	return id
}

// IsNew reports whether this request has made the session.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.isNew
}

// Len returns how many attributes there are.
func (s *Session) Len() (n int) {
	s.view(func(h *held) { n = h.Rec.Len() + len(h.Local) })
	return n
}

// Size returns the bytes that the session counts against Limits.SessionBytes.
func (s *Session) Size() (n int) {
	s.view(func(h *held) { n = h.Rec.Size() })
	return n
}

// Names returns the names of the attributes in order.
func (s *Session) Names() (names []string) {
	s.view(func(h *held) {
		for name := range h.Rec.All() {
			names = append(names, name)
		}
		for name := range h.Local {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return names
}

// Timeout returns how long the session lives without access; 0 means for ever.
func (s *Session) Timeout() time.Duration {
	var after time.Duration
	h := s.held()
	switch {
	case h != nil:
		s.view(func(h *held) { after = h.Rec.Timeout() })
	case s.m != nil:
		after = s.m.config.Timeout
		s.mu.Lock()
		if s.timeout != nil {
			after = *s.timeout
		}
		s.mu.Unlock()
	}
	return max(after, 0)
}

// SetTimeout sets how long the session lives without access, in whole milliseconds; not
// above 0 means for ever. It counts as an access. It makes no session: if there is none
// it holds for the one that this request makes.
func (s *Session) SetTimeout(d time.Duration) error {
	if s.m == nil {
		return ErrNoSession
	}
	s.mu.Lock()
	h := s.h
	if h == nil {
		s.timeout = &d
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.change(h, func(h *held) error {
		now := s.m.b.Now()
		err := h.Rec.SetTimeout(d, now)
		h.Arm(now, 0)
		return err
	})
}

// Touch counts as an access: the session has its whole timeout again. The beginning and
// the end of each request do so by themselves; it is for responses that last longer.
func (s *Session) Touch() {
	var h *held
	s.view(func(now *held) { h = now })
	if h != nil {
		_, _ = s.m.access(h)
	}
}

// Renew gives the session a new id and the client a new cookie; the old id leads
// nowhere from then on. Without a session it does nothing. [Session.Login] includes it.
//
// If two requests renew at the same time, one id remains, the same on all nodes, and the
// other leads nowhere. Mostly both responses have the one that remains; a response that
// has left with the other, which on two nodes can happen, costs its client the session.
// If another request has logged in meanwhile it fails with ErrEnded: with its id this one
// has no part in that session any more.
func (s *Session) Renew() error {
	return s.renew(nil)
}

// Login notes who the client is, and renews the id: whoever knew it before the login
// has no part in what comes after. It makes a session if there is none. What is in the
// session stays. [Session.Invalidate] logs out. If another request has logged in somebody
// else meanwhile it fails with ErrEnded.
func (s *Session) Login(user string) error {
	if s.held() == nil {
		return s.write(func(h *held) error { return h.Rec.SetPrincipal([]byte(user)) })
	}
	return s.renew(&user)
}

// User returns who has logged in, "" if nobody.
func (s *Session) User() (user string) {
	s.view(func(h *held) { user = string(h.Rec.Principal()) })
	return user
}

// renew changes the id and, unless it is nil, who has logged in, or neither.
func (s *Session) renew(user *string) error {
	if s.m == nil {
		return ErrNoSession
	}
	s.mu.Lock()
	h := s.h
	if h == nil || s.written {
		s.mu.Unlock()
		if h == nil {
			return nil
		}
		return ErrHeaderWritten
	}
	id, old := newID(s.m.idRoute()), ID("")
	err := s.m.write(h, s.noting(func(h *held) error {
		old = ID(h.Rec.ID())
		if !s.entitled(h, user) {
			return ErrEnded
		}
		if user != nil {
			if err := h.Rec.Login([]byte(*user)); err != nil {
				return err
			}
			s.proved = *user
		}
		if err := h.Rec.SetID(string(id)); err != nil {
			return err
		}
		s.login = h.Rec.LoginVersion()
		s.m.b.Renamed(h, string(old))
		return nil
	}))
	if err == nil {
		s.send, s.mine = true, id
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.m.n.renewed.Add(1)
	tell(s.m.config.Listener.IDChanged, Event{ID: id, OldID: old})
	return s.save(h, nil)
}

// Invalidate ends the session: its content is gone for all requests, and the client's
// cookie is removed if the header is not written yet. It reports whether there was one.
// A write afterwards begins a new session.
func (s *Session) Invalidate() bool {
	if s.m != nil {
		s.view(func(*held) {}) // it may have left memory
	}
	s.mu.Lock()
	h := s.h
	s.h, s.isNew, s.mine, s.send, s.used = nil, false, "", false, true
	if h != nil {
		s.over = append(s.over, h)
	}
	s.mu.Unlock()
	h, ended := s.m.endWhole(h)
	if ended {
		// That the others do not confirm it is counted; here it has ended.
		_ = s.save(h, nil)
	}
	return ended
}
