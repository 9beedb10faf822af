package backing

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// What needs no server works.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"file:" + filepath.Join(dir, "sessions"), "sqlite:" + filepath.Join(dir, "sessions.db")} {
		s, err := Open(text)
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		if err := s.Prepare(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(ctx, &store.Session{ID: "s", Data: []byte("x"), Version: 1, Accessed: time.Now()}, 0); err != nil {
			t.Error(err)
		}
		if got, err := s.Load(ctx, "s"); err != nil || string(got.Data) != "x" {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A server that is not there is found out before requests are served, and named without its
// password.
func TestPrepareFindsNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	closed := l.Addr().String()
	l.Close()
	for _, text := range []string{"postgres://u:secret@" + closed + "/db", "mysql://u:secret@" + closed + "/db",
		"redis://u:secret@" + closed, "memcached:" + closed, "sqlite:" + t.TempDir() + "/no/where.db"} {
		s, err := Open(text)
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "-store "+s.Name+": ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want an error that names it", text, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Servers are talked to later.
func TestOpenServers(t *testing.T) {
	for text, name := range map[string]string{
		"postgres://u:secret@127.0.0.1:1/db": "postgres://u:xxxxx@127.0.0.1:1/db",
		"postgres:postgres://127.0.0.1:1/db": "postgres:postgres://127.0.0.1:1/db",
		"mysql://u:secret@127.0.0.1/db":      "mysql://u:xxxxx@127.0.0.1/db",
		"mysql:u:secret@tcp(127.0.0.1:1)/db": "mysql:tcp(127.0.0.1:1)/db",
		"redis://127.0.0.1:1/3":              "redis://127.0.0.1:1/3",
		"memcached:127.0.0.1:1,127.0.0.1:2":  "memcached:127.0.0.1:1,127.0.0.1:2",
	} {
		s, err := Open(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if s.Name != name {
			t.Errorf("%s is called %s, want %s", text, s.Name, name)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenWrong(t *testing.T) {
	for _, text := range []string{"", "memory", "file:", "disk:/x", "redis:ftp://x", "memcached:nowhere"} {
		if s, err := Open(text); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}
