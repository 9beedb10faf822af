package session

import (
	"net/http"
	"strings"
	"time"
)

// SecureMode says when a cookie is marked Secure, so that browsers send it over TLS
// only.
type SecureMode uint8

// The modes. The zero value marks it if the request came over TLS. Behind a proxy that
// ends TLS no request does: use SecureAlways there.
const (
	SecureAuto SecureMode = iota
	SecureAlways
	SecureNever
)

// Cookie is how the session cookie is sent. It is always HttpOnly: no script can read
// it.
type Cookie struct {
	// Name is "sid" if empty. A name that begins with "__Host-" keeps other hosts of
	// the same domain from planting a cookie; it needs SecureAlways, Path "/" and no
	// Domain.
	Name string
	// Path is "/" if empty.
	Path string
	// Domain is empty for this host alone, which is safer than any domain.
	Domain string
	// Secure says when the cookie is for TLS only.
	Secure SecureMode
	// SameSite is Lax if zero. http.SameSiteNoneMode needs SecureAlways.
	SameSite http.SameSite
	// Persistent keeps the cookie when the browser is closed, for as long as the
	// session lives without access. It is then sent with each response.
	Persistent bool
	// RouteName is the name of a second cookie that holds Config.Route and nothing
	// secret, for load balancers that look for one. The session id has no route then.
	RouteName string
}

// What is looked at of a request. A client that sends more only hurts itself.
const (
	maxCookies = 4        // cookies of the session's name
	maxHeader  = 16 << 10 // bytes of Cookie headers
)

// forever is the age of a persistent cookie of a session that never expires: browsers
// allow no more than 400 days.
const forever = 400 * 24 * time.Hour

// cookieValues takes the values of the cookies of a name from the Cookie headers of a
// request, the first few. It reports whether there was more than one, or more than is
// looked at.
func cookieValues(headers []string, name string, into *[maxCookies]string) (n int, excess bool) {
	room := maxHeader
	for _, h := range headers {
		if room -= len(h); room < 0 {
			return n, true
		}
		for h != "" {
			var part string
			part, h, _ = strings.Cut(h, ";")
			key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
			if !ok || strings.TrimRight(key, " \t") != name { // as net/http does
				continue
			}
			if n == len(into) {
				return n, true
			}
			into[n] = strings.Trim(value, `"`)
			n++
		}
	}
	return n, n > 1
}

// cookie returns a cookie with the settings of c.
func (c *Cookie) cookie(name, value string, overTLS bool) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: c.Path, Domain: c.Domain,
		Secure:   c.Secure == SecureAlways || c.Secure == SecureAuto && overTLS,
		SameSite: c.SameSite, HttpOnly: true,
	}
}

// session returns the cookie of a session with a timeout; 0 is never.
func (c *Cookie) session(id ID, timeout time.Duration, overTLS bool) *http.Cookie {
	k := c.cookie(c.Name, string(id), overTLS)
	if c.Persistent {
		if timeout <= 0 || timeout > forever {
			timeout = forever
		}
		k.MaxAge = int((timeout + time.Second - 1) / time.Second)
	}
	return k
}

// gone returns the cookie that removes the one of a session.
func (c *Cookie) gone(overTLS bool) *http.Cookie {
	k := c.cookie(c.Name, "", overTLS)
	k.MaxAge = -1
	return k
}
