package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
)

// opened opens a store for a test.
func opened(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]Config{
		"synced": {MaxData: 1 << 20},
		"not":    {MaxData: 70_000, NoSync: true},
	} {
		t.Run(name, func(t *testing.T) {
			sessiontest.TestStore(t, sessiontest.Options{
				MaxData: c.MaxData,
				New: func(t testing.TB) func() store.Store {
					dir := t.TempDir()
					return func() store.Store {
						c := c
						c.Dir = dir
						return opened(t, c)
					}
				},
			})
		})
	}
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []Config{{}, {Dir: t.TempDir(), MaxData: -1}, {Dir: t.TempDir(), MaxData: 1<<30 + 1}, {Dir: file}} {
		if _, err := Open(c); err == nil || !strings.HasPrefix(err.Error(), "tribes: filestore: ") {
			t.Errorf("Open(%+v) = %v, want an error", c, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	opened(t, Config{Dir: dir})
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info, err)
	}
}

// session is one to be saved.
func session(id string, version uint64, data string) *store.Session {
	return &store.Session{ID: id, Data: []byte(data), Version: version, Accessed: time.Now(), Timeout: time.Hour}
}

// acquire takes a lock as a call does.
func acquire(t *testing.T, l *lock) {
	t.Helper()
	must(t, take(t.Context(), l.held, l.done))
	must(t, l.lockFile(t.Context()))
}

func TestClose(t *testing.T) {
	ctx := t.Context()
	s, err := Open(Config{Dir: t.TempDir()})
	must(t, err)
	must(t, s.Save(ctx, session("s", 1, "x"), 0))
	must(t, s.Close())
	must(t, s.Close())
	_, err = s.Load(ctx, "s")
	_, expire := s.Expire(ctx, time.Now())
	for _, err := range []error{err, s.Save(ctx, session("s", 2, "x"), 1), s.Touch(ctx, "s", time.Now()), s.Delete(ctx, "s"), expire} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	for _, err := range s.IDs(ctx) {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// TestCloseEndsWaits: who waits for a lock of another Store learns that its own is closed.
func TestCloseEndsWaits(t *testing.T) {
	dir := t.TempDir()
	a, b := opened(t, Config{Dir: dir}), opened(t, Config{Dir: dir})
	l := a.locks[shardOf("s")]
	acquire(t, l)
	done := make(chan error)
	for range 2 { // one waits for the file, the other for the first one
		go func() { done <- b.Save(context.Background(), session("s", 1, "x"), 0) }()
	}
	closed := make(chan error)
	go func() { closed <- b.Close() }()
	for range 2 {
		if err := <-done; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Save while the store is closed = %v", err)
		}
	}
	must(t, <-closed)
	must(t, l.release())
	must(t, a.Save(t.Context(), session("s", 1, "x"), 0))
}

// TestOpenWaitsForNobody: a temporary file of a process that is writing, or was stopped while
// it did, is left alone.
func TestOpenWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	a := opened(t, Config{Dir: dir})
	l := a.locks[7]
	acquire(t, l)
	must(t, os.WriteFile(a.temporary(7), []byte("x"), 0o600))
	must(t, os.WriteFile(a.temporary(8), []byte("x"), 0o600))
	opened(t, Config{Dir: dir})
	if left, err := filepath.Glob(filepath.Join(dir, "tmp-*")); err != nil || len(left) != 1 || left[0] != a.temporary(7) {
		t.Errorf("left: %v, %v", left, err)
	}
	must(t, l.release())
	opened(t, Config{Dir: dir})
	if left, err := filepath.Glob(filepath.Join(dir, "tmp-*")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestLockWaitEndsWithContext(t *testing.T) {
	dir := t.TempDir()
	a, b := opened(t, Config{Dir: dir}), opened(t, Config{Dir: dir})
	l := a.locks[shardOf("s")]
	acquire(t, l)
	for _, s := range []*Store{a, b} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := s.Save(ctx, session("s", 1, "x"), 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Save = %v", err)
		}
		cancel()
	}
	must(t, l.release())
	must(t, b.Save(t.Context(), session("s", 1, "x"), 0))
}

// TestCorruptFile: whatever a file holds instead of its session is an error that names it,
// and other sessions are as before.
func TestCorruptFile(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir})
	must(t, s.Save(ctx, session("good", 1, "good"), 0))
	must(t, s.Save(ctx, session("other", 1, "other"), 0))
	must(t, s.Save(ctx, session("bad", 1, strings.Repeat("x", 100)), 0))
	name := filepath.Join(dir, "s-bad.session")
	whole, err := os.ReadFile(name)
	must(t, err)
	foreign, err := os.ReadFile(filepath.Join(dir, "s-other.session"))
	must(t, err)
	broken := map[string][]byte{"empty": {}, "of another id": foreign, "longer": append(append([]byte{}, whole...), 0)}
	for n := 1; n < len(whole); n += 7 {
		broken["cut off"] = whole[:n]
	}
	for i := range whole {
		if i >= touchAt && i < headSize {
			continue // a touch that is damaged is none
		}
		b := append([]byte{}, whole...)
		b[i] ^= 0x10
		checkCorrupt(t, s, name, b)
	}
	for _, b := range broken {
		checkCorrupt(t, s, name, b)
	}
	must(t, os.Truncate(name, headSize+mostData+1)) // a sparse file, which must not be read
	if _, err := s.Load(ctx, "bad"); err == nil || !strings.HasSuffix(err.Error(), "bytes") {
		t.Errorf("Load of a file of a GiB = %v", err)
	}
	must(t, s.Delete(ctx, "bad"))
	must(t, s.Save(ctx, session("bad", 1, "new"), 0))
}

func checkCorrupt(t *testing.T, s *Store, name string, content []byte) {
	t.Helper()
	ctx := t.Context()
	must(t, os.WriteFile(name, content, 0o600))
	_, err := s.Load(ctx, "bad")
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Path != name || !strings.Contains(err.Error(), name) {
		t.Fatalf("Load of %d bytes %.80x = %v", len(content), content, err)
	}
	if v, err := s.Load(ctx, "good"); err != nil || string(v.Data) != "good" {
		t.Fatalf("Load of another session: %v, %v", v, err)
	}
}

// TestExpireWithCorruptFiles: they are an error, after the others have been removed.
func TestExpireWithCorruptFiles(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir})
	for _, id := range []string{"a", "b", "c"} {
		must(t, s.Save(ctx, session(id, 1, id), 0))
	}
	must(t, os.WriteFile(filepath.Join(dir, "s-a.session"), []byte("?"), 0o600))
	n, err := s.Expire(ctx, time.Now().Add(2*time.Hour))
	var corrupt *CorruptError
	if n != 2 || !errors.As(err, &corrupt) {
		t.Errorf("Expire = %d, %v", n, err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "s-b.session"), []byte("?"), 0o600))
	if _, err := s.Expire(ctx, time.Now()); err == nil || !strings.HasSuffix(err.Error(), "(and 1 more files)") {
		t.Errorf("Expire = %v", err)
	}
}

// TestStrangeFiles: what is not a session's file is left alone.
func TestStrangeFiles(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir})
	names := []string{"README", "s-.session", "s-a.session.bak", "s-A.session", "s-a~zz!.session", "s-a~0.session", "s-a~08.session", "x.session"}
	for _, name := range names {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600))
	}
	for id, err := range s.IDs(ctx) {
		t.Errorf("listed: %q, %v", id, err)
	}
	if n, err := s.Expire(ctx, time.Now()); n != 0 || err != nil {
		t.Errorf("Expire = %d, %v", n, err)
	}
	for _, name := range names {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "mine" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestFileNames(t *testing.T) {
	for id, want := range map[string]string{
		"abc": "s-abc.session", "con": "s-con.session", "Abc": "s-abc~04.session", "aBC": "s-abc~0o.session", "-_": "s--_.session",
		strings.Repeat("a", 200): "s-" + strings.Repeat("a", 200) + ".session",
	} {
		if got := fileName(id); got != want {
			t.Errorf("fileName(%q) = %q, want %q", id, got, want)
		}
	}
	if n := len(fileName(strings.Repeat("Z", store.MaxID))); n > 255 {
		t.Errorf("a name of %d bytes", n)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("aZ09-_", "s-az~08.session")
	f.Fuzz(func(t *testing.T, id, name string) {
		if store.CheckID(id) == nil {
			if got, ok := idOf(fileName(id)); !ok || got != id {
				t.Errorf("id %q became %q, %t", id, got, ok)
			}
		}
		if id, ok := idOf(name); ok && (fileName(id) != name || store.CheckID(id) != nil || !fs.ValidPath(name) || strings.Contains(name, "/")) {
			t.Errorf("name %q is of %q, whose name is %q", name, id, fileName(id))
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(session("s", 1, "data")))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, reason := decode(b, "s")
		if (v == nil) == (reason == "") {
			t.Fatalf("%v, %q", v, reason)
		}
		if v != nil && string(v.Data) != string(b[headSize:]) {
			t.Error("other data")
		}
	})
}

// TestTouchesAreNone: neither zeros nor ones are a touch, so a new file has none.
func TestTouchesAreNone(t *testing.T) {
	for _, fill := range []byte{0, 0xFF} {
		b := encode(session("s", 1, ""))
		for i := touchAt; i < headSize; i++ {
			b[i] = fill
		}
		if h, reason := decodeHead(b, "s"); reason != "" || h.touches != [2]int64{noTouch, noTouch} {
			t.Errorf("%+v, %q", h, reason)
		}
	}
}

// BenchmarkExpire looks at a thousand sessions that have not expired.
func BenchmarkExpire(b *testing.B) {
	s := opened(b, Config{Dir: b.TempDir(), NoSync: true})
	for i := range 1000 {
		must(b, s.Save(b.Context(), session(fmt.Sprintf("s%d", i), 1, "x"), 0))
	}
	for b.Loop() {
		if _, err := s.Expire(b.Context(), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/session")
}

// BenchmarkSave saves a session of 1 KiB.
func BenchmarkSave(b *testing.B) {
	for _, noSync := range []bool{false, true} {
		b.Run(fmt.Sprintf("NoSync=%t", noSync), func(b *testing.B) {
			s := opened(b, Config{Dir: b.TempDir(), NoSync: noSync})
			data := strings.Repeat("x", 1024)
			for v := uint64(0); b.Loop(); v++ {
				must(b, s.Save(b.Context(), session("s", v+1, data), v))
			}
		})
	}
}
