package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// withBackups makes the nodes of a farm keep each session on some of them.
func withBackups(edit func(*Backup)) func(*Config) {
	return func(c *Config) {
		c.Backup = &Backup{Group: c.Cluster.Group, Name: c.Cluster.Name}
		c.Cluster = nil
		if edit != nil {
			edit(c.Backup)
		}
	}
}

// A session is on its primary and its backup, every node finds it, and a request on
// another node loses nothing.
func TestBackupOnTwoNodes(t *testing.T) {
	inFarm(t, []string{"a", "b", "c", "d"}, withBackups(nil), func(f *farm, n []*server) {
		clients := make([]*client, 12)
		for i := range clients {
			clients[i] = newClient(t, n[i%4].Manager)
			clients[i].with(func(s *Session) { must(t, Set(s, "name", fmt.Sprint("user", i))) })
		}
		held := 0
		for _, x := range n {
			s := x.BackupStats()
			held += s.Held
			if s.Sessions != 12 || s.Nodes != 3 || s.Current != 3 {
				t.Errorf("%s: %+v", x.name, s)
			}
		}
		if held < 24 || held > 36 { // the node that has written keeps its own for a moment
			t.Errorf("12 sessions are held %d times, want 24 times, and up to once more where they were written", held)
		}
		for round := range 4 {
			for i, c := range clients {
				c.at(n[(i+round)%4]).with(func(s *Session) {
					if got := get[string](t, s, "name"); got != fmt.Sprint("user", i) {
						t.Errorf("%s has %q of user%d", n[(i+round)%4].name, got, i)
					}
					if v, err := s.Add("visits", 1); v != int64(round+1) || err != nil {
						t.Errorf("visit %d is %d, %v", round+1, v, err)
					}
				})
			}
		}
		time.Sleep(time.Minute)
		held = 0
		for _, x := range n {
			held += x.BackupStats().Held
		}
		if held != 24 {
			t.Errorf("12 sessions are held %d times a minute later, want 24 times", held)
		}
		for i, c := range clients {
			holders := 0
			for _, x := range n {
				if x.Holds(c.id()) {
					holders++
				}
			}
			if holders != 2 {
				t.Errorf("user%d: %d nodes hold the session, want 2", i, holders)
			}
		}
	})
}

// A node that crashes takes no session with it; one that comes back has its share.
func TestBackupFailover(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, withBackups(nil), func(f *farm, n []*server) {
		clients := make([]*client, 20)
		visit := func(at []*server, want int64) {
			t.Helper()
			for i, c := range clients {
				c.at(at[i%len(at)]).with(func(s *Session) {
					if v, err := s.Add("visits", 1); v != want || err != nil {
						t.Errorf("user%d: visit %d is %d, %v", i, want, v, err)
					}
				})
			}
		}
		for i := range clients {
			clients[i] = newClient(t, n[0].Manager)
		}
		visit(n, 1)
		n[2].crash()
		visit(n[:2], 2)
		visit(n[:2], 3)
		time.Sleep(20 * time.Second)
		d := f.start("d")[0]
		visit([]*server{d}, 4)
		n[1].crash()
		visit([]*server{n[0], d}, 5)
		d.stop()
	})
}

// Requests of one session on several nodes at the same time lose no addition.
func TestBackupMergesRequests(t *testing.T) {
	inFarm(t, []string{"a", "b", "c"}, withBackups(nil), func(f *farm, n []*server) {
		first := newClient(t, n[0].Manager)
		first.with(func(s *Session) { must(t, Set(s, "name", "x")) })
		var all sync.WaitGroup
		for i := range 6 {
			c := newClient(t, n[i%3].Manager)
			c.cookie = first.cookie
			all.Go(func() {
				for range 20 {
					res := c.with(func(s *Session) {
						if _, err := s.Add("n", 1); err != nil {
							t.Error(err)
						}
					})
					if res.StatusCode != http.StatusOK {
						t.Errorf("status %d", res.StatusCode)
					}
				}
			})
		}
		all.Wait()
		for _, x := range n {
			first.at(x).with(func(s *Session) {
				if got := get[int64](t, s, "n"); got != 120 {
					t.Errorf("%s: %d, want 120", x.name, got)
				}
			})
		}
	})
}

// A session that was ended is gone on all nodes when the response is there, and one that
// nobody uses expires on all.
func TestBackupEnds(t *testing.T) {
	short := func(c *Config) {
		withBackups(nil)(c)
		c.Timeout = 2 * time.Minute
	}
	inFarm(t, []string{"a", "b", "c"}, short, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "name", "x")) })
		old := c.cookie
		c.at(n[1]).with(func(s *Session) {
			if get[string](t, s, "name") != "x" || !s.Invalidate() {
				t.Error("not there")
			}
		})
		for _, x := range n {
			c.cookie = old
			c.at(x).with(func(s *Session) {
				if s.ID() != "" {
					t.Errorf("%s still has it", x.name)
				}
			})
		}
		c.cookie = ""
		c.with(func(s *Session) { must(t, Set(s, "name", "y")) })
		last := c.cookie
		time.Sleep(100 * time.Second)
		c.at(n[0]).with(func(s *Session) {
			if get[string](t, s, "name") != "y" {
				t.Error("too early")
			}
		})
		time.Sleep(115 * time.Second)
		c.at(n[2]).with(func(s *Session) {
			if get[string](t, s, "name") != "y" {
				t.Error("the read was no access")
			}
		})
		time.Sleep(150 * time.Second)
		for _, x := range n {
			c.cookie = last
			c.at(x).with(func(s *Session) {
				if s.ID() != "" {
					t.Errorf("%s still has what has expired", x.name)
				}
			})
			if s := x.BackupStats(); x.Stats().Sessions != 0 || s.Sessions != 0 {
				t.Errorf("%s: %d sessions, %+v", x.name, x.Stats().Sessions, s)
			}
		}
	})
}

// A node that cannot find sessions yet refuses requests, and one that drains is not ready
// but serves.
func TestBackupReady(t *testing.T) {
	inFarm(t, []string{"a"}, withBackups(nil), func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "name", "x")) })
		b := f.boot("b")
		if res := c.at(b).with(func(*Session) { t.Error("served") }); res.StatusCode != http.StatusServiceUnavailable || b.Ready() {
			t.Errorf("status %d, ready %t", res.StatusCode, b.Ready())
		}
		must(t, b.Start(context.Background()))
		must(t, n[0].Drain(context.Background()))
		if n[0].Ready() || !b.Ready() {
			t.Error("the node that drains is ready, or the other is not")
		}
		for _, x := range []*server{n[0], b} {
			c.at(x).with(func(s *Session) {
				if get[string](t, s, "name") != "x" {
					t.Errorf("%s does not serve", x.name)
				}
			})
		}
		n[0].stop()
		c.at(b).with(func(s *Session) {
			if get[string](t, s, "name") != "x" {
				t.Error("lost with the node that has left")
			}
		})
		b.stop()
		if res := c.with(func(*Session) {}); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("after Close: status %d", res.StatusCode)
		}
	})
}

func TestBackupSettings(t *testing.T) {
	f := newFarm(t, nil)
	n := f.boot("a")
	defer n.stop()
	for i, c := range []Config{
		{Backup: &Backup{}}, {Backup: &Backup{Group: n.g, Name: strings.Repeat("x", 151)}}, {Backup: &Backup{Group: n.g, Backups: -1}},
		{Backup: &Backup{Group: n.g, Wait: WaitWritten}}, {Backup: &Backup{Group: n.g, Budget: -1}}, {Backup: &Backup{Group: n.g, MaxData: 1 << 30}},
		{Backup: &Backup{Group: n.g}, Cluster: &Cluster{Group: n.g}}, {Backup: &Backup{Group: n.g}, Persist: &Persist{Store: new(Client)}},
		{Backup: &Backup{Group: n.g, Backups: 1000}},
	} {
		if m, err := New(c); err == nil {
			t.Errorf("%d is accepted: %v", i, errors.Join(err, m.Close()))
		}
	}
}
