package gorilla

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/session"
)

// Store is a store of gorilla/sessions. The fields may be changed before it is used; its
// methods can be called from any number of goroutines.
type Store struct {
	// Options are those that new sessions begin with.
	Options *sessions.Options
	// Serializer encodes the values of a session, a map[any]any; encoding/gob if nil.
	Serializer securecookie.Serializer
	// Unaged is how long a session with MaxAge 0 is kept after its last Save; 0 means a day.
	Unaged time.Duration

	data  *session.SCS
	known states
	locks locks
}

var _ sessions.Store = (*Store)(nil)

// New returns a store over a manager, whose sessions last 30 days, for all paths, out of the
// reach of scripts and of requests from other sites (HttpOnly, SameSite=Lax).
func New(m *session.Manager) *Store {
	return &Store{
		Options: &sessions.Options{Path: "/", MaxAge: 30 * 24 * 60 * 60, HttpOnly: true, SameSite: http.SameSiteLaxMode},
		data:    m.SCS(), known: states{of: make(map[key]*state)}, locks: locks{of: make(map[string]*lock)},
	}
}

// MaxAge sets the MaxAge of new sessions, as with the stores of gorilla/sessions.
func (s *Store) MaxAge(age int) { s.Options.MaxAge = age }

// Get returns the session of a name, the same one for the whole request. It is never nil
// unless the name cannot be that of a cookie. An error says that a session that may exist
// could not be read; the session is a new one then, and to save it takes the place of the other.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New is Get without the memory of the request: each call reads the session again.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	x, st := sessions.NewSession(s, name), new(state)
	options := *s.Options
	x.Options, x.IsNew = &options, true
	err := s.load(r, x, st)
	s.known.put(x, st)
	return x, err
}

// load fills a session with what the cookie of a request leads to, if anything.
func (s *Store) load(r *http.Request, x *sessions.Session, st *state) error {
	c, err := r.Cookie(x.Name())
	if err != nil || !validID(c.Value) {
		return nil // there is none, or none of ours
	}
	data, found, err := s.data.Find(token(x.Name(), c.Value))
	if err != nil || !found {
		return wrap("get", x.Name(), err)
	}
	if err := s.decode(data, &x.Values); err != nil {
		x.Values = make(map[any]any)
		return wrap("get", x.Name(), err)
	}
	x.ID, x.IsNew = c.Value, false
	*st = state{id: c.Value, data: data}
	return nil
}

// Save stores a session and sets its cookie; with MaxAge below 0 it deletes both. Call it
// before the header is written. If it fails it has set no cookie.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, x *sessions.Session) error {
	name, st := x.Name(), s.known.get(x)
	var err error
	switch {
	case x.Options.MaxAge < 0:
		err = s.end(x, st)
	case st.id == "":
		err = s.begin(x, st)
	case x.ID != st.id:
		err = s.renew(x, st)
	default:
		err = s.update(x, st)
	}
	if err != nil {
		return wrap("save", name, err)
	}
	options := *x.Options
	options.Secure = options.Secure || r.TLS != nil
	http.SetCookie(w, sessions.NewCookie(name, x.ID, &options))
	return nil
}

// begin stores a new session, whatever ID it was given.
func (s *Store) begin(x *sessions.Session, st *state) error {
	data, err := s.encode(x.Values)
	if err != nil {
		return err
	}
	id := newID()
	if err := s.data.Commit(token(x.Name(), id), data, s.expiry(x)); err != nil {
		return err
	}
	x.ID, *st = id, state{id: id, data: data}
	return nil
}

// renew stores a session with a new id, and ends the old one.
func (s *Store) renew(x *sessions.Session, st *state) error {
	defer s.locks.lock(st.id)()
	old := token(x.Name(), st.id)
	if err := s.merge(x, st); err != nil {
		return err
	}
	if err := s.begin(x, st); err != nil {
		return err
	}
	return s.data.Delete(old)
}

// end deletes a session, if there is one.
func (s *Store) end(x *sessions.Session, st *state) error {
	if st.id != "" {
		defer s.locks.lock(st.id)() // or a Save that has seen it brings it back
		if err := s.data.Delete(token(x.Name(), st.id)); err != nil {
			return err
		}
	}
	x.ID, *st = "", state{}
	return nil
}

// update stores what has changed in a session.
func (s *Store) update(x *sessions.Session, st *state) error {
	defer s.locks.lock(st.id)()
	if err := s.merge(x, st); err != nil {
		return err
	}
	data, err := s.encode(x.Values)
	if err != nil {
		return err
	}
	if err := s.data.Commit(token(x.Name(), st.id), data, s.expiry(x)); err != nil {
		return err
	}
	st.data = data
	return nil
}

// expiry returns until when a session is kept.
func (s *Store) expiry(x *sessions.Session) time.Time {
	age := time.Duration(x.Options.MaxAge) * time.Second
	if age == 0 {
		if age = s.Unaged; age <= 0 {
			age = 24 * time.Hour
		}
	}
	return time.Now().Add(age)
}

func (s *Store) serializer() securecookie.Serializer {
	if s.Serializer == nil {
		return securecookie.GobEncoder{}
	}
	return s.Serializer
}

func (s *Store) encode(values map[any]any) ([]byte, error) { return s.serializer().Serialize(values) }

func (s *Store) decode(data []byte, into *map[any]any) error {
	return s.serializer().Deserialize(data, into)
}

const (
	idBytes = 32
	idChars = 43
)

// newID returns what a client names its session by.
func newID() string {
	var b [idBytes]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// validID reports whether a text has the form of newID. Nothing else is looked up.
func validID(id string) bool {
	if len(id) != idChars {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(id)
	return err == nil
}

// token is what a session is found by. With its name in it no session is found by the cookie
// of another name, nor by what other users of SCS have.
func token(name, id string) string {
	sum := sha256.Sum256([]byte(name))
	return "gorilla_" + hex.EncodeToString(sum[:8]) + "_" + id
}

func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tribes: gorilla: %s %q: %w", op, name, err)
}
