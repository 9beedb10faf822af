package session

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// use sends a request of c every ten seconds for d.
func (c *client) use(d time.Duration) {
	for range d / (10 * time.Second) {
		time.Sleep(10 * time.Second)
		c.with(func(s *Session) { get[int](c.t, s, "n") })
	}
}

// When a session is saved, and when it may leave memory, is as it was configured.
func TestPersistTimes(t *testing.T) {
	saves := func(o *office, when string, want int) {
		t.Helper()
		if n := o.store.Calls().Save; n != want {
			t.Errorf("%s: %d saves, want %d", when, n, want)
		}
	}
	inOffice(t, func(c *Config) { c.Persist.SaveAfterIdle, c.Persist.SaveWithin = 5*time.Minute, time.Hour }, func(o *office) {
		newClient(t, o.node()).with(func(s *Session) { must(t, Set(s, "n", 1)) })
		time.Sleep(4 * time.Minute)
		saves(o, "before SaveAfterIdle", 0)
		time.Sleep(2 * time.Minute)
		saves(o, "after SaveAfterIdle", 1)
	})
	inOffice(t, func(c *Config) { c.Persist.SaveAfterIdle, c.Persist.SaveWithin = time.Hour, 5*time.Minute }, func(o *office) {
		c := newClient(t, o.node())
		c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
		c.use(4 * time.Minute)
		saves(o, "before SaveWithin", 0)
		c.use(2 * time.Minute)
		saves(o, "after SaveWithin", 1)
	})
	inOffice(t, func(c *Config) { c.Persist.InMemory, c.Persist.SwapMinIdle = 1, 10*time.Minute }, func(o *office) {
		a := o.node()
		for range 2 {
			newClient(t, a).with(func(s *Session) { must(t, Set(s, "n", 1)) })
		}
		time.Sleep(9 * time.Minute)
		if n := a.Stats().Sessions; n != 2 {
			t.Errorf("before SwapMinIdle: %d sessions in memory, want 2", n)
		}
		time.Sleep(2 * time.Minute)
		if n := a.Stats().Sessions; n != 1 {
			t.Errorf("after SwapMinIdle: %d sessions in memory, want 1", n)
		}
	})
	inOffice(t, func(c *Config) { c.Persist.ForgetOnClose = true }, func(o *office) {
		a := o.node()
		newClient(t, a).with(func(s *Session) { must(t, Set(s, "n", 1)) })
		must(t, a.Close())
		saves(o, "ForgetOnClose", 0)
	})
}

// How often the store is called, and for how long, is as it was configured.
func TestPersistCalls(t *testing.T) {
	inOffice(t, func(c *Config) { eachRequest(c); c.Persist.TouchInterval = 5 * time.Minute }, func(o *office) {
		c := newClient(t, o.node())
		c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
		c.use(26 * time.Minute)
		if n := o.store.Calls().Touch; n < 3 || n > 5 {
			t.Errorf("%d touches in 26 minutes of use, want one in five minutes", n)
		}
	})
	inOffice(t, func(c *Config) { eachRequest(c); c.Persist.ExpireInterval = time.Hour }, func(o *office) {
		newClient(t, o.node()).with(func(s *Session) { must(t, Set(s, "n", 1)) })
		time.Sleep(5*time.Hour + 30*time.Minute)
		if n := o.store.Calls().Expire; n < 3 || n > 8 {
			t.Errorf("%d calls of Expire in five hours, want about one an hour", n)
		}
	})
	inOffice(t, func(c *Config) { eachRequest(c); c.Persist.OnError, c.Persist.Timeout = Fail, 200*time.Millisecond }, func(o *office) {
		c := newClient(t, o.node())
		o.store.Inject(sessiontest.Faults{Delay: time.Hour})
		begin := time.Now()
		r := c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
		if took := time.Since(begin); r.StatusCode != http.StatusServiceUnavailable || took < 200*time.Millisecond || took > time.Second {
			t.Errorf("status %d after %v, want 503 after 200 ms", r.StatusCode, took)
		}
		o.store.Inject(sessiontest.Faults{})
	})
	if _, err := New(Config{Persist: &Persist{Store: struct{ store.Store }{}, Preload: true}}); err == nil {
		t.Error("Preload with a store that cannot list is taken")
	}
}

// A session that has expired leaves memory with the next sweep.
func TestSweepSetting(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist, c.Timeout, c.Sweep = nil, 10*time.Second, 10*time.Minute }, func(o *office) {
		a := o.node()
		newClient(t, a).with(func(s *Session) { must(t, Set(s, "n", 1)) })
		time.Sleep(9 * time.Minute)
		if n := a.Stats().Sessions; n != 1 {
			t.Errorf("before the sweep: %d sessions in memory, want 1", n)
		}
		time.Sleep(2 * time.Minute)
		if n := a.Stats().Sessions; n != 0 {
			t.Errorf("after the sweep: %d sessions in memory", n)
		}
	})
}

// refusing is a codec that encodes nothing.
type refusing struct{ Codec }

var errRefused = errors.New("nothing is encoded")

func (refusing) Marshal(any) ([]byte, error) { return nil, errRefused }

// The codec and the name of the cookie are those of the configuration.
func TestCodecAndCookieSettings(t *testing.T) {
	m, err := New(Config{Codec: refusing{CBOR()}, Cookie: Cookie{Name: "shop"}})
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	c := newClient(t, m)
	r := c.with(func(s *Session) {
		if err := Set(s, "k", "v"); !errors.Is(err, errRefused) {
			t.Errorf("Set = %v, want that of the codec", err)
		}
		_, err := s.Add("n", 1)
		must(t, err)
	})
	if got := r.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "shop=") {
		t.Errorf("cookie %q, want one of the name shop", got)
	}
}

// A state transfer goes in messages with no more sessions, and no more bytes, than was
// configured, but for a session that is larger by itself.
func TestBlockSettings(t *testing.T) {
	const sessions, size = 40, 5000
	messages := func(set func(*Config)) (n uint64) {
		inFarm(t, []string{"a"}, set, func(f *farm, nodes []*server) {
			for range sessions {
				newClient(t, nodes[0].Manager).with(func(s *Session) { must(t, Set(s, "k", strings.Repeat("x", size))) })
			}
			before := nodes[0].g.Stats().Sent
			f.start("b")[0].stop()
			n = nodes[0].g.Stats().Sent - before
		})
		return n
	}
	whole := messages(func(*Config) {})
	if n := messages(func(c *Config) { c.Cluster.BlockBytes = 2 * size }); n < whole+sessions/3 {
		t.Errorf("%d messages with blocks of two sessions' bytes, %d without", n, whole)
	}
	if n := messages(func(c *Config) { c.Cluster.BlockSessions = 2 }); n < whole+sessions/3 {
		t.Errorf("%d messages with blocks of two sessions, %d without", n, whole)
	}
}

// How many nodes have a session, how long it stays in the memory of the one that has
// served it, and how often the others are told that it is in use, is as it was configured.
func TestBackupNumbers(t *testing.T) {
	held := func(n []*server) (sum int) {
		for _, x := range n {
			sum += x.BackupStats().Held
		}
		return sum
	}
	names := []string{"a", "b", "c", "d"}
	inFarm(t, names, withBackups(func(b *Backup) { b.Backups, b.MemoryAfterIdle = 2, 10*time.Minute }), func(f *farm, n []*server) {
		for range 8 {
			newClient(t, n[0].Manager).with(func(s *Session) { must(t, Set(s, "k", "v")) })
		}
		time.Sleep(9 * time.Minute)
		if got := held(n); got != 3*8 {
			t.Errorf("8 sessions with two backups are held %d times, want 24 times", got)
		}
		if got := n[0].Stats().Sessions; got != 8 {
			t.Errorf("before MemoryAfterIdle: %d sessions in memory, want 8", got)
		}
		time.Sleep(3 * time.Minute)
		if got := n[0].Stats().Sessions; got != 0 {
			t.Errorf("after MemoryAfterIdle: %d sessions in memory", got)
		}
	})
	told := func(set func(*Backup)) (n uint64) {
		inFarm(t, names, withBackups(set), func(f *farm, nodes []*server) {
			c := newClient(t, nodes[0].Manager)
			c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
			c.use(10 * time.Minute)
			n = nodes[0].PersistStats().Touches
		})
		return n
	}
	if often, seldom := told(nil), told(func(b *Backup) { b.TouchInterval = 5 * time.Minute }); often < 40 || seldom < 1 || seldom > 3 {
		t.Errorf("%d touches in ten minutes with one in five minutes, %d with one in ten seconds", seldom, often)
	}
}
