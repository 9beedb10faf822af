package session

import "testing"

// A request that is under way with the id from before a login is not told the id that the
// login has given the session: who planted the old one could have sent it.
func TestLoginTellsNobodyElse(t *testing.T) {
	for name, cookie := range map[string]Cookie{"persistent": {Persistent: true}, "other route": {}} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, Config{Route: "a", Cookie: cookie})
			victim := newClient(t, m)
			victim.with(func(s *Session) { must(t, Set(s, "k", "v")) })
			thief := *victim
			if name == "other route" {
				thief.cookie = thief.cookie[:len(thief.cookie)-1] + "b"
			}
			thief.with(func(*Session) {
				victim.with(func(s *Session) { must(t, s.Login("ann")) })
			})
			thief.with(func(s *Session) {
				if s.User() != "" {
					t.Errorf("logged in as %q, with what a request from before the login was told", s.User())
				}
			})
			victim.with(func(s *Session) {
				if s.User() != "ann" {
					t.Errorf("the session of %q", s.User())
				}
			})
		})
	}
}
