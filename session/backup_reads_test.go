package session

import (
	"testing"
	"time"
)

// A node that serves a session without being one of its nodes fetches it once after each
// change, and not for each request; it sees each change of another node at once.
func TestBackupReadsFetchNothing(t *testing.T) {
	never := func(b *Backup) { b.TouchInterval = time.Hour }
	inFarm(t, []string{"a", "b", "c", "d"}, withBackups(never), func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		c.with(func(s *Session) { must(t, Set(s, "k", 0)) })
		time.Sleep(time.Minute)
		for i, x := range n {
			if x.Holds(c.id()) {
				continue
			}
			c.at(n[(i+1)%4]).with(func(s *Session) { must(t, Set(s, "k", i)) })
			c.at(x).with(func(s *Session) { get[int](t, s, "k") })
			c.with(func(s *Session) { get[int](t, s, "k") })
			loads, sent := x.PersistStats().Loads, x.g.Stats().Sent
			for range 20 {
				c.with(func(s *Session) {
					if v := get[int](t, s, "k"); v != i {
						t.Errorf("%s has %d, want %d", x.name, v, i)
					}
				})
			}
			if more := x.PersistStats().Loads - loads; more != 0 {
				t.Errorf("%s: 20 reads have loaded the session %d times", x.name, more)
			}
			if more := x.g.Stats().Sent - sent; more != 0 {
				t.Errorf("%s: 20 reads have sent %d messages", x.name, more)
			}
			c.at(n[(i+1)%4]).with(func(s *Session) { must(t, Set(s, "k", 100+i)) })
			c.at(x).with(func(s *Session) {
				if v := get[int](t, s, "k"); v != 100+i {
					t.Errorf("%s has %d after a change elsewhere, want %d", x.name, v, 100+i)
				}
			})
		}
	})
}
