package session

import (
	"slices"
	"testing"
	"time"
)

// Primary says where the request before this one was, however soon after it.
func TestPrimary(t *testing.T) {
	for name, cfg := range map[string]func(*Config){
		"route in the id":       func(*Config) {},
		"route in a cookie":     func(c *Config) { c.Cookie.RouteName = "route" },
		"no route, slow client": func(c *Config) { c.Route, c.Cluster.TouchInterval = "", time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			inFarm(t, []string{"a", "b"}, cfg, func(f *farm, n []*server) {
				slow := n[0].config.Route == ""
				c := &browser{client: newClient(t, n[0].Manager), cookies: make(map[string]string)}
				var got, want []bool
				last := -1
				for _, at := range []int{0, 0, 1, 1, 0, 1, 0, 0, 1} {
					if slow {
						time.Sleep(5 * time.Second)
					}
					c.at(n[at])
					c.visit(func(s *Session) { must(t, Set(s, "k", "v")); got = append(got, s.Primary()) })
					want = append(want, last < 0 || at == last)
					last = at
				}
				if !slices.Equal(got, want) {
					t.Errorf("got  %v\nwant %v", got, want)
				}
			})
		})
	}
}

// browser is a client with all cookies.
type browser struct {
	*client
	cookies map[string]string
}

func (b *browser) visit(f func(s *Session)) {
	b.t.Helper()
	b.cookie = ""
	for name, v := range b.cookies {
		if b.cookie != "" {
			b.cookie += "; "
		}
		b.cookie += name + "=" + v
	}
	for _, k := range b.with(f).Cookies() {
		b.cookies[k.Name] = k.Value
	}
}
