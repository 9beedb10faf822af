//go:build databases

package redis

import (
	"fmt"
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/internal/proctest"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

const mostData = 1 << 20

func TestConformance(t *testing.T) {
	t.Parallel()
	server, n := startServer(t, "--appendfsync", "no"), 0
	sessiontest.TestStore(t, sessiontest.Options{MaxData: mostData, Forgets: true,
		New: func(t testing.TB) func() store.Store {
			n++
			c := Config{Prefix: fmt.Sprintf("app%d:", n), MaxData: mostData}
			return func() store.Store { return server.open(c) }
		}})
}

// Redis is told when a session expires, also by a touch, and removes it.
func TestRedisRemovesWhatHasExpired(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s, client := server.open(Config{}), server.client()
	ttl := func(low, high time.Duration) {
		t.Helper()
		if d, err := client.PTTL(t.Context(), "session:s").Result(); err != nil || d <= low || d > high {
			t.Errorf("time to live %v, %v, want %v to %v", d, err, low, high)
		}
	}
	x := some("s", 1)
	x.Accessed = x.Accessed.Add(-30 * time.Minute)
	must(t, s.Save(t.Context(), x, 0))
	ttl(29*time.Minute, 30*time.Minute)
	must(t, s.Touch(t.Context(), "s", time.Now()))
	ttl(59*time.Minute, time.Hour)
	x = some("s", 2)
	x.Timeout = 0
	must(t, s.Save(t.Context(), x, 1))
	must(t, s.Touch(t.Context(), "s", time.Now().Add(time.Minute)))
	ttl(-2, -1) // for ever
	must(t, s.Save(t.Context(), some("s", 3), 2))
	ttl(59*time.Minute, time.Hour)

	x = some("s", 4)
	x.Timeout = 30 * time.Millisecond
	must(t, s.Save(t.Context(), x, 3))
	proctest.Until(t, "it has expired", func() bool { return client.Exists(t.Context(), "session:s").Val() == 0 }, server.Process)
}

// Applications with other prefixes, and keys of others, are not mixed up.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	shop, admin := server.open(Config{Prefix: "shop:"}), server.open(Config{Prefix: "shop:admin:"})
	must(t, shop.Save(t.Context(), some("a", 1), 0))
	must(t, admin.Save(t.Context(), some("a", 1), 0))
	must(t, admin.Save(t.Context(), some("b", 1), 0))
	must(t, server.client().Set(t.Context(), "shopping", "list", 0).Err())
	must(t, shop.Delete(t.Context(), "b"))
	for want, s := range map[string]*Store{"[a]": shop, "[a b]": admin} {
		var ids []string
		for id, err := range s.IDs(t.Context()) {
			must(t, err)
			ids = append(ids, id)
		}
		slices.Sort(ids)
		if got := fmt.Sprint(ids); got != want {
			t.Errorf("ids of %s: %s, want %s", s.config.Prefix, got, want)
		}
	}
}

// What somebody else has put there is an error and stays.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s, client := server.open(Config{}), server.client()
	must(t, client.Set(t.Context(), "session:s", "text", 0).Err())
	must(t, client.HSet(t.Context(), "session:h", "v", "1", "a", "x", "t", "1", "d", "").Err())
	must(t, client.HSet(t.Context(), "session:half", "v", "1").Err())
	for _, id := range []string{"s", "h", "half"} {
		if got, err := s.Load(t.Context(), id); err == nil {
			t.Errorf("Load of %s: %+v", id, got)
		}
	}
	if err := s.Save(t.Context(), some("s", 1), 0); err == nil {
		t.Error("a text was replaced")
	}
	if got := client.Get(t.Context(), "session:s").Val(); got != "text" {
		t.Errorf("%q is left", got)
	}
}

// The rights that the documentation names are enough.
func TestRights(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	must(t, server.client().ACLSetUser(t.Context(), "shop", "on", ">secret", "~shop:*", "+@read", "+@write",
		"+@scripting", "+@connection", "+wait").Err())
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr, Username: "shop", Password: "secret", DialerRetries: 1})
	t.Cleanup(func() { closed(t, client) })
	s := open(t, client, Config{Prefix: "shop:", Timeout: time.Second})
	must(t, s.Save(t.Context(), some("s", 1), 0))
	must(t, s.Touch(t.Context(), "s", time.Now()))
	if v := version(t, s, "s"); v != 1 {
		t.Errorf("version %d", v)
	}
	for _, err := range s.IDs(t.Context()) {
		must(t, err)
	}
	must(t, s.Delete(t.Context(), "s"))
	s.config.Replicas = 1
	lacksReplicas(t, s, "s")
	s.config.Replicas, s.config.Prefix = 0, "other:"
	if err := s.Save(t.Context(), some("s", 1), 0); err == nil {
		t.Error("the rights were not limited")
	}
}
