package redis

import (
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/session/store"
)

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		c    Config
		want string // in the error, "" for none
	}{
		{Config{}, ""},
		{Config{Prefix: "a.b/c-d_{e}:", MaxData: 512 << 20, Timeout: 1, Replicas: 100}, ""},
		{Config{Prefix: "shop"}, "prefix"},
		{Config{Prefix: "sh*p:"}, "prefix"},
		{Config{Prefix: "sh[op]:"}, "prefix"},
		{Config{Prefix: "sh op:"}, "prefix"},
		{Config{Prefix: strings.Repeat("x", 100) + ":"}, "prefix"},
		{Config{MaxData: -1}, "bytes"},
		{Config{MaxData: 512<<20 + 1}, "bytes"},
		{Config{Timeout: -1}, "timeout"},
		{Config{Replicas: -1}, "replicas"},
		{Config{Replicas: 101}, "replicas"},
	} {
		_, err := tt.c.withDefaults()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.c, err, tt.want)
		}
	}
	c, err := Config{}.withDefaults()
	if want := (Config{"session:", 8 << 20, 3 * time.Second, 0}); err != nil || c != want {
		t.Errorf("defaults %+v, %v, want %+v", c, err, want)
	}
	all := Config{Prefix: "*", MaxData: -1, Timeout: -1, Replicas: -1}
	if _, err := New(nil, all); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all errors at once: %v", err)
	}
	ring := goredis.NewRing(&goredis.RingOptions{})
	defer ring.Close()
	if _, err := New(ring, Config{Replicas: 1}); err == nil {
		t.Error("a ring cannot wait for replicas")
	}
}

// Nobody listens: what needs no server is refused before one is asked.
func TestWithoutServer(t *testing.T) {
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	s, err := New(client, Config{MaxData: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	x := store.Session{ID: "x", Version: 1, Data: []byte("abc")}
	for name, try := range map[string]struct {
		got  error
		want error
	}{
		"too large": {s.Save(ctx, &store.Session{ID: "x", Version: 1, Data: []byte("abcd")}, 0), store.ErrTooLarge},
		"version":   {s.Save(ctx, &x, 1), store.ErrConflict},
		"touch":     {s.Touch(ctx, "a:b", time.Now()), store.ErrBadID},
		"delete":    {s.Delete(ctx, "*"), store.ErrBadID},
	} {
		if !errors.Is(try.got, try.want) {
			t.Errorf("%s: %v, want %v", name, try.got, try.want)
		}
	}
	if _, err := s.Load(ctx, "x"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load without a server: %v", err)
	}
	if err := s.Save(ctx, &x, 0); err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("Save without a server: %v", err)
	}
}
