package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// sent returns the bytes of messages that one request of c causes at a node.
func (n *server) sent(c *client, f func(s *Session)) uint64 {
	before := n.g.Stats().SentBytes
	c.at(n).with(f)
	return n.g.Stats().SentBytes - before
}

// A change travels alone, the whole session with Full, and with Always also unchanged.
func TestFull(t *testing.T) {
	const size = 10_000
	for _, test := range []struct {
		name              string
		full, always      bool
		onChange, onReads bool // that the whole session is sent
	}{
		{name: "changes"},
		{name: "full", full: true, onChange: true},
		{name: "always", full: true, always: true, onChange: true, onReads: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := func(c *Config) { c.Cluster.Full, c.Cluster.Always = test.full, test.always }
			inFarm(t, []string{"a", "b"}, set, func(f *farm, n []*server) {
				c := newClient(t, n[0].Manager)
				c.with(func(s *Session) { must(t, Set(s, "large", strings.Repeat("x", size))) })
				if got := n[0].sent(c, func(s *Session) { must(t, Set(s, "k", "v")) }); (got > size) != test.onChange {
					t.Errorf("%d bytes for a change", got)
				}
				if got := n[0].sent(c, func(s *Session) { get[string](t, s, "k") }); (got > size) != test.onReads {
					t.Errorf("%d bytes for a read", got)
				}
				if v, _ := n[1].own(c.id(), "k"); v != "v" {
					t.Errorf("b has %q", v)
				}
			})
		})
	}
}

// The listener is told what other nodes do to sessions and to attributes, each if asked
// for, and marked as remote.
func TestRemoteEvents(t *testing.T) {
	for _, test := range []struct {
		sessions, attributes bool
		want                 []string
	}{
		{},
		{sessions: true, want: []string{"created", "id", "destroyed invalidated"}},
		{attributes: true, want: []string{"set k", "removed k"}},
		{sessions: true, attributes: true, want: []string{"created", "set k", "id", "removed k", "destroyed invalidated"}},
	} {
		t.Run(fmt.Sprint(test.sessions, test.attributes), func(t *testing.T) {
			var told []string // by b, each while a waits for it
			note := func(what string) func(Event) {
				return func(e Event) {
					if e.Remote {
						told = append(told, strings.TrimSpace(strings.TrimSuffix(what+" "+e.Name+e.Reason.String(), "unknown")))
					}
				}
			}
			cfg := func(c *Config) {
				c.Cluster.RemoteSessionEvents, c.Cluster.RemoteAttributeEvents = test.sessions, test.attributes
				if c.Route == "b" {
					c.Listener = Listener{Created: note("created"), Destroyed: note("destroyed"), IDChanged: note("id"),
						AttributeSet: note("set"), AttributeRemoved: note("removed")}
				}
			}
			inFarm(t, []string{"a", "b"}, cfg, func(f *farm, n []*server) {
				c := newClient(t, n[0].Manager)
				c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
				c.with(func(s *Session) { must(t, s.Renew()) })
				c.with(func(s *Session) { _, err := s.Delete("k"); must(t, err) })
				c.with(func(s *Session) { s.Invalidate() })
			})
			if !slices.Equal(told, test.want) {
				t.Errorf("told %q, want %q", told, test.want)
			}
		})
	}
}

// A session that comes from another node gets the route of this one unless that is
// switched off.
func TestBindRoute(t *testing.T) {
	inFarm(t, []string{"a", "b"}, nil, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		n[1].BindRoute(false)
		c.at(n[1]).with(func(s *Session) {
			if s.ID().Route() != "a" || s.OriginalID() != "" || get[string](t, s, "k") != "v" {
				t.Errorf("id %s, original %q", s.ID(), s.OriginalID())
			}
		})
		if n[1].Stats().Bound != 0 || ID(c.id()).Route() != "a" {
			t.Errorf("bound %d, cookie %s", n[1].Stats().Bound, c.id())
		}
		n[1].BindRoute(true)
		c.at(n[1]).with(func(*Session) {})
		if n[1].Stats().Bound != 1 || ID(c.id()).Route() != "b" {
			t.Errorf("bound %d, cookie %s", n[1].Stats().Bound, c.id())
		}
	})
}

// Two nodes with one route, and nodes with other codecs, are counted; the latter share no
// sessions.
func TestNodesThatDiffer(t *testing.T) {
	cfg := func(c *Config) {
		if c.Route == "c" {
			c.Codec = JSON()
		}
		c.Route = "same"
	}
	inFarm(t, []string{"a", "b", "c"}, cfg, func(f *farm, n []*server) {
		time.Sleep(time.Second)
		for i, s := range []ClusterStats{n[0].ClusterStats(), n[1].ClusterStats(), n[2].ClusterStats()} {
			if i < 2 && (s.Peers != 1 || s.Duplicates == 0 || s.Incompatible == 0) || i == 2 && (s.Peers != 0 || s.Incompatible == 0) {
				t.Errorf("%s: %+v", n[i].name, s)
			}
		}
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
		if v, _ := n[1].own(c.id(), "k"); v != "v" {
			t.Errorf("b has %q", v)
		}
		if _, found := n[2].Lookup(c.id()); found {
			t.Error("c has a session of another codec")
		}
	})
}

// Several managers share a group and do not mix; a node may have some of them.
func TestManagersOfOneGroup(t *testing.T) {
	inFarm(t, []string{"a", "b"}, nil, func(f *farm, n []*server) {
		var others []*Manager
		for i, name := range []string{"other", "other"} {
			m, err := New(Config{Cluster: &Cluster{Group: n[i].g, Name: name}})
			must(t, err)
			must(t, m.Start(context.Background()))
			others = append(others, m)
		}
		alone, err := New(Config{Cluster: &Cluster{Group: n[0].g, Name: "on a alone"}})
		must(t, err)
		must(t, alone.Start(context.Background()))
		for _, test := range []struct {
			m, peer *Manager
		}{{n[0].Manager, n[1].Manager}, {others[0], others[1]}, {alone, nil}} {
			c := newClient(t, test.m)
			c.with(func(s *Session) { must(t, Set(s, "k", "v")) })
			for _, m := range []*Manager{n[0].Manager, n[1].Manager, others[0], others[1], alone} {
				if _, found := m.Lookup(c.id()); found != (m == test.m || m == test.peer) {
					t.Errorf("found: %v", found)
				}
			}
		}
		for _, m := range append(others, alone) {
			must(t, m.Close())
		}
	})
}

// What stays on its node is not on another that takes the session over, and still there
// when the client is back.
func TestLocalOnlyStays(t *testing.T) {
	cfg := func(c *Config) { c.LocalOnly = func(name string) bool { return name == "conn" } }
	inFarm(t, []string{"a", "b"}, cfg, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "conn", make(chan int))); must(t, Set(s, "k", "v")) })
		for i, x := range []*server{n[1], n[0]} {
			c.at(x).with(func(s *Session) {
				if s.Has("conn") != (i == 1) || !s.Has("k") {
					t.Errorf("%s has %q", x.name, s.Names())
				}
			})
		}
	})
}
