package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

// SCS is a store for github.com/alexedwards/scs: it has the methods of its Store and
// IterableStore.
//
//	scsManager := scs.New()
//	scsManager.Store = sessions.SCS()
//
// That program keeps its own cookie, expiry and way of encoding, and writes a session as
// a whole: of requests that run at the same time the last one wins. Sessions of the two
// kinds do not mix: no token leads to a session of this package, nor an id to one of
// those. They share Limits, of which ValueBytes bounds a session of scs, and the listener,
// which sees one attribute "scs". Tokens are at most 200 bytes.
type SCS struct{ m *Manager }

// SCS returns the store of m for scs. All that it returns have the same content.
func (m *Manager) SCS() *SCS { return &SCS{m: m} }

const (
	scsPrefix = "scs:" // no ID of this package has a colon
	scsName   = "scs"
	maxToken  = 200
)

// scsID returns what a token is found by. A dot would end it there.
func scsID(token string) (ID, bool) {
	if token == "" || len(token) > maxToken || strings.Contains(token, ".") {
		return "", false
	}
	return ID(scsPrefix + token), true
}

// hashToken returns what the session of a token is stored under: a store takes only some
// characters.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "scs-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// find returns the session of a token, as a request finds its own: it may ask other nodes.
func (s *SCS) find(token string) (*held, error) {
	id, ok := scsID(token)
	if !ok {
		return nil, nil
	}
	h, err := s.m.b.Find(context.Background(), string(id))
	if h == nil || err != nil {
		return nil, err
	}
	s.m.release(h) // who writes to one that has left memory meanwhile begins again
	return s.alive(h), nil
}

// alive returns h unless its time is over.
func (s *SCS) alive(h *held) *held {
	if h.Expired(s.m.b.Now()) {
		s.m.end(h, Expired)
		return nil
	}
	return h
}

// data returns a copy of what a session has.
func (s *SCS) data(h *held) ([]byte, bool) {
	h.Mu.RLock()
	defer h.Mu.RUnlock()
	v, ok := h.Rec.Get(scsName)
	return append([]byte(nil), v.Bytes...), ok
}

// Find returns the data of a token, and false if there is none or it has expired.
func (s *SCS) Find(token string) ([]byte, bool, error) {
	if err := s.m.b.Usable(); err != nil {
		return nil, false, err // not "none": the client would lose it
	}
	h, err := s.find(token)
	if h == nil || err != nil {
		return nil, false, err
	}
	data, ok := s.data(h)
	return data, ok, nil
}

// Commit stores the data of a token until expiry, which is compared with the clock of
// this process once, now. The data is copied. What has expired already is deleted.
func (s *SCS) Commit(token string, data []byte, expiry time.Time) error {
	id, ok := scsID(token)
	if !ok {
		return wrap("set", scsName, errToken)
	}
	if err := s.m.b.Usable(); err != nil {
		return wrap("set", scsName, err)
	}
	left := time.Until(expiry)
	if left <= 0 {
		return s.Delete(token)
	}
	val := s.m.wrap(record.Value{Kind: record.Bytes, Bytes: append([]byte(nil), data...)})
	for {
		err := s.commit(id, token, val, left)
		switch {
		case errors.Is(err, table.ErrTaken), errors.Is(err, ErrEnded), errors.Is(err, errSwapped): // came or went meanwhile
		case err != nil:
			return wrap("set", scsName, err)
		default:
			return nil
		}
	}
}

// commit writes to the session of a token, or makes it.
func (s *SCS) commit(id ID, token string, val Value, left time.Duration) error {
	var old Value
	put := func(h *held) error {
		old = s.m.valueOf(h, scsName)
		if err := h.Rec.Set(scsName, val.rec.Bytes); err != nil {
			return err
		}
		now := s.m.b.Now()
		err := h.Rec.SetTimeout(left, now)
		h.Arm(now, 0)
		return err
	}
	h, err := s.find(token)
	if err != nil {
		return err
	}
	if h != nil {
		if err := s.m.write(h, put); err != nil {
			return err
		}
	} else {
		h = s.m.b.Create()
		defer s.m.release(h)
		if err := h.Begin(string(id), left, s.m.b.Now()); err != nil {
			return err
		}
		if err := put(h); err != nil {
			return err
		}
		if err := s.m.add(h); err != nil {
			return err
		}
		s.m.n.created.Add(1)
		tell(s.m.config.Listener.Created, Event{ID: id})
	}
	tell(s.m.config.Listener.AttributeSet, Event{ID: id, Name: scsName, Old: old, New: val})
	return s.m.b.Commit(context.Background(), h)
}

var errToken = errors.New("token is empty, has a dot or is longer than 200 bytes")

// Delete removes a token; it is no error if there is none.
func (s *SCS) Delete(token string) error {
	h, err := s.find(token)
	for err == nil && h != nil && !s.m.end(h, Invalidated) {
		h, err = s.find(token) // it has ended meanwhile, or left memory
	}
	if h == nil || err != nil {
		return err
	}
	return s.m.b.Commit(context.Background(), h)
}

// All returns the data of all tokens that have not expired, also of those that only the
// store of Config.Persist has; it fails if that cannot list.
func (s *SCS) All() (map[string][]byte, error) {
	if err := s.m.b.Usable(); err != nil {
		return nil, err // not "none", nor some
	}
	all := make(map[string][]byte)
	for h, err := range s.m.everything(context.Background()) {
		if err != nil {
			return nil, err
		}
		token, ok := strings.CutPrefix(string(ID(h.ID())), scsPrefix)
		if !ok {
			continue
		}
		if h, err = s.m.look(scsPrefix + token); err != nil {
			return nil, err
		}
		if h == nil || s.alive(h) == nil {
			continue
		}
		if data, ok := s.data(h); ok {
			all[token] = data
		}
	}
	return all, nil
}
