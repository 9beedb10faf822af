package session

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
)

// ID is the text that a client names its session by, the value of the cookie: 144
// random bits as 24 characters of the URL-safe base64 alphabet and, if Config.Route
// is set, a dot and the route of the node that made it or, see [Manager.BindRoute], has
// taken the session over. Whoever has it has the session: do not log it.
type ID string

const (
	randomBytes = 18
	randomChars = 24
	maxRoute    = 64
)

// newID returns an ID with bits from the system's secure generator.
func newID(route string) ID {
	var b [randomBytes]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	s := base64.RawURLEncoding.EncodeToString(b[:])
	if route != "" {
		s += "." + route
	}
	return ID(s)
}

// Random returns the part that leads to the session, without the route.
func (id ID) Random() string {
	random, _, _ := strings.Cut(string(id), ".")
	return random
}

// Route returns the route, "" if there is none.
func (id ID) Route() string {
	_, route, _ := strings.Cut(string(id), ".")
	return route
}

// parseID takes an ID from a client. It has the exact form of newID or is none: no
// other text is ever looked up, stored or sent back.
func parseID(s string) (ID, bool) {
	if len(s) < randomChars || len(s) > randomChars+1+maxRoute || !plain(s[:randomChars]) {
		return "", false
	}
	if rest := s[randomChars:]; rest != "" && (rest[0] != '.' || !validRoute(rest[1:])) {
		return "", false
	}
	return ID(s), true
}

// validRoute reports whether s can be a route: 1 to 64 characters that need no
// quoting in a cookie, a path or the configuration of a load balancer.
func validRoute(s string) bool {
	return s != "" && len(s) <= maxRoute && plain(s)
}

// plain reports whether s has letters, digits, '-' and '_' only.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// entitled reports whether this request may have the id of a session: it has sent or given
// that, or nobody has logged in since it got the session but for whom it logs in itself. The
// caller holds s.mu, and h.Mu if only for reading.
func (s *Session) entitled(h *held, user *string) bool {
	id, now := ID(h.Rec.ID()).Random(), string(h.Rec.Principal())
	if id == s.came.Random() || id == s.mine.Random() || h.Rec.LoginVersion() == s.login {
		return true
	}
	return now != "" && (now == s.proved || user != nil && now == *user)
}
