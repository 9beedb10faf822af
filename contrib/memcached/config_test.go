package memcached

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/store"
)

func TestConfig(t *testing.T) {
	one := []string{"a:1"}
	for _, tt := range []struct {
		c    Config
		want string // in the error, "" for none
	}{
		{Config{Servers: one}, ""},
		{Config{Servers: []string{"a:1", "[::1]:2"}, Prefix: "a.b/c-d_:", MaxData: 256 << 20}, ""},
		{Config{}, "no servers"},
		{Config{Servers: []string{"a"}}, "server"},
		{Config{Servers: []string{"a:1", "b:1", "a:1"}}, "twice"},
		{Config{Servers: one, Prefix: "shop"}, "prefix"},
		{Config{Servers: one, Prefix: "sh op:"}, "prefix"},
		{Config{Servers: one, Prefix: "sh%op:"}, "prefix"},
		{Config{Servers: one, Prefix: strings.Repeat("x", 40) + ":"}, "prefix"},
		{Config{Servers: one, MaxData: -1}, "bytes"},
		{Config{Servers: one, MaxData: 256<<20 + 1}, "bytes"},
		{Config{Servers: one, Timeout: -1}, "timeout"},
		{Config{Servers: one, Conns: -1}, "connections"},
	} {
		_, err := New(tt.c)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.c, err, tt.want)
		}
	}
	all := Config{Prefix: "*", MaxData: -1, Timeout: -1, Conns: -1}
	if _, err := New(all); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("not all errors at once: %v", err)
	}
}

// The longest key is one that memcached takes.
func TestLongestKey(t *testing.T) {
	if n := maxPrefix + store.MaxID + len(":lock"); n > 250 {
		t.Errorf("keys of %d bytes", n)
	}
}

func TestExpiry(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	day := 24 * time.Hour
	for _, tt := range []struct {
		ago, timeout time.Duration
		want         int64
	}{
		{0, 0, 0},
		{0, -time.Hour, 0},
		{0, time.Hour, 3602},
		{30 * time.Minute, time.Hour, 1802},
		{0, time.Millisecond, 2},
		{time.Hour, time.Minute, 1},
		{0, 30*day - 2*time.Second, month},
		{0, 30 * day, now.Unix() + month + 2},
		{0, 365 * day, now.Unix() + 365*24*60*60 + 2},
		{0, 20 * 365 * day, 0},
		{0, math.MaxInt64, 0},
	} {
		x := &store.Session{Accessed: now.Add(-tt.ago), Timeout: tt.timeout}
		if got := expiry(x, now); got != tt.want {
			t.Errorf("%v after an access, timeout %v: %d, want %d", tt.ago, tt.timeout, got, tt.want)
		}
	}
}

// All servers get their share, and one that comes takes no more than its own.
func TestRank(t *testing.T) {
	var servers []*server
	for i := range 5 {
		servers = append(servers, newServer(fmt.Sprintf("10.0.0.%d:11211", i+1), &Config{}))
	}
	const many = 10_000
	have, moved := make(map[string]int), 0
	for i := range many {
		id := fmt.Sprintf("session-%d", i)
		four, five := rank(servers[:4], id)[0], rank(servers, id)[0]
		have[five.addr]++
		if four != five {
			moved++
			if five != servers[4] {
				t.Fatalf("%s moved between servers that were there before", id)
			}
		}
	}
	for _, s := range servers {
		if n := have[s.addr]; n < many/5*9/10 || n > many/5*11/10 {
			t.Errorf("%s has %d of %d sessions", s.addr, n, many)
		}
	}
	if moved > many/5*11/10 {
		t.Errorf("%d of %d sessions moved", moved, many)
	}
}
