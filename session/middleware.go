package session

import (
	"context"
	"net/http"
)

// Handler gives the requests that go to next their sessions, see [From]. Handlers of
// the same manager may be nested; the outermost does the work.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := r.Context().Value(contextKey{}).(*Session); ok && s.m == m || m.config.Skip(r) {
			next.ServeHTTP(w, r)
			return
		}
		s, err := m.begin(r)
		if err != nil {
			m.unavailable(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), contextKey{}, s)
		rw := &response{ResponseWriter: w, s: s, r: r}
		defer m.finish(s, ctx)
		next.ServeHTTP(rw, r.WithContext(ctx))
		rw.header(0)
	})
}

// begin finds the session of a request.
func (m *Manager) begin(r *http.Request) (*Session, error) {
	if err := m.b.Usable(); err != nil {
		return nil, err
	}
	s := &Session{m: m, primary: true}
	var values [maxCookies]string
	n, excess := cookieValues(r.Header["Cookie"], m.config.Cookie.Name, &values)
	if excess {
		m.n.repeated.Add(1)
	}
	for _, v := range values[:n] {
		id, ok := parseID(v)
		if !ok {
			m.n.malformed.Add(1)
			continue
		}
		h, err := m.b.Find(r.Context(), string(id))
		if err != nil {
			return nil, err
		}
		if h != nil && s.take(h, id) {
			s.pinned = append(s.pinned, h)
			break
		}
		if h != nil {
			m.release(h)
		}
		m.n.unknown.Add(1)
	}
	if name := m.config.Cookie.RouteName; name != "" {
		n, _ := cookieValues(r.Header["Cookie"], name, &values)
		s.routed = n == 1 && values[0] == m.config.Route
		s.primary = s.routed || !s.known || m.group == nil && m.keeper == nil
	}
	return s, nil
}

// finish is the end of a request, also of one whose handler has panicked.
func (m *Manager) finish(s *Session, ctx context.Context) {
	s.mu.Lock()
	h, lost := s.h, s.isNew && !s.written
	s.written = true
	s.mu.Unlock()
	if lost { // nobody will ever know its id
		s.Invalidate()
	} else if h != nil {
		_, _ = m.access(h)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alone = true // before the last commit, which takes what was written until now
	if err := s.commit(ctx); err != nil {
		m.n.failed.Add(1)
	}
	for _, h := range s.pinned {
		m.release(h)
	}
	s.pinned = nil
}

// commit makes what this request wrote as safe as configured. The caller holds s.mu.
func (s *Session) commit(ctx context.Context) error {
	for _, h := range s.over {
		if err := s.m.b.Commit(ctx, h); err != nil {
			return err
		}
	}
	s.over = nil
	if s.h == nil {
		return nil
	}
	err := s.m.b.Commit(ctx, s.h)
	if err == nil && s.wrote.Load() && s.m.keeper != nil {
		err = s.m.keeper.Fits(s.h)
	}
	return err
}

// unavailable answers a request whose session cannot be had.
func (m *Manager) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	m.n.failed.Add(1)
	m.config.Unavailable(w, r, err)
}

// header puts into the header of a response what the client must learn, once. If what was
// written before is not safe it fails, and nothing is left in the header but the id that this
// request has given a session of before: the client would lose it. With a store what it has is
// under the id before, and the only thing that is left if this node fails now.
func (s *Session) header(r *http.Request, header http.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written {
		return nil
	}
	s.written = true
	err := s.commit(r.Context())
	if err != nil {
		clear(header)
		if s.isNew || s.mine == "" || s.m.keeper != nil {
			return err
		}
	}
	if s.used {
		header.Add("Vary", "Cookie")
	}
	cookies := s.cookies(r.TLS != nil)
	for _, c := range cookies {
		header.Add("Set-Cookie", c.String())
	}
	if len(cookies) > 0 && header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", `no-cache="Set-Cookie"`)
	}
	return err
}

// cookies returns what the client must learn. The caller holds s.mu.
func (s *Session) cookies(overTLS bool) []*http.Cookie {
	c := &s.m.config.Cookie
	if s.h == nil {
		if s.known {
			return []*http.Cookie{c.gone(overTLS)}
		}
		return nil
	}
	s.h.Mu.RLock()
	id, timeout := ID(s.h.Rec.ID()), s.h.Rec.Timeout()
	tell := id.Random() == s.came.Random() || s.mine != "" && s.entitled(s.h, nil)
	s.h.Mu.RUnlock()
	if id == "" { // ended by another request
		return nil
	}
	var all []*http.Cookie
	// An id that another request has given the session, as at a login, is not for who has
	// come with the one before.
	if (s.send || c.Persistent) && tell {
		all = append(all, c.session(id, timeout, overTLS))
	}
	if c.RouteName != "" && !s.routed {
		all = append(all, c.cookie(c.RouteName, s.m.config.Route, overTLS))
	}
	return all
}
