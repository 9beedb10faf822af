package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// hanging is a disk that hangs in one kind of step, as one of a server that is gone does: no
// call returns before the end of the outage, and what was called takes place then.
type hanging struct {
	system
	in   string
	came chan struct{} // somebody hangs
	over chan struct{} // closed at the end of the outage
	end  func()
}

func newHanging(in string) *hanging {
	h := &hanging{in: in, came: make(chan struct{}, 1000), over: make(chan struct{})}
	h.end = sync.OnceFunc(func() { close(h.over) })
	return h
}

func (h *hanging) step(what string) {
	if what == h.in {
		h.came <- struct{}{}
		<-h.over
	}
}

func (h *hanging) content(name string, most int64) ([]byte, int64, error) {
	h.step("content")
	return h.system.content(name, most)
}

func (h *hanging) look(name string) (file, error) {
	h.step("look")
	f, err := h.system.look(name)
	return &hangingFile{f, h}, err
}

func (h *hanging) list(dir string) ([]string, error) {
	h.step("list")
	return h.system.list(dir)
}

func (h *hanging) create(name string) (file, error) {
	h.step("create")
	f, err := h.system.create(name)
	return &hangingFile{f, h}, err
}

func (h *hanging) open(name string) (file, error) {
	h.step("open")
	f, err := h.system.open(name)
	return &hangingFile{f, h}, err
}

func (h *hanging) rename(from, to string) error {
	h.step("rename")
	return h.system.rename(from, to)
}

func (h *hanging) remove(name string) error {
	h.step("remove")
	return h.system.remove(name)
}

func (h *hanging) syncDir(dir string) error {
	h.step("syncDir")
	return h.system.syncDir(dir)
}

type hangingFile struct {
	file
	disk *hanging
}

func (f *hangingFile) Write(b []byte) (int, error) {
	f.disk.step("write")
	return f.file.Write(b)
}

func (f *hangingFile) WriteAt(b []byte, at int64) (int, error) {
	f.disk.step("writeAt")
	return f.file.WriteAt(b, at)
}

func (f *hangingFile) Sync() error {
	f.disk.step("sync")
	return f.file.Sync()
}

// hung is a store on a disk that hangs, with a session "s" in version 1, last used at 1e12.
func hung(t *testing.T, in string) (*Store, *hanging) {
	t.Helper()
	dir := t.TempDir()
	v := session("s", 1, "one")
	v.Accessed = time.UnixMilli(1e12)
	must(t, opened(t, Config{Dir: dir}).Save(t.Context(), v, 0))
	disk := newHanging(in)
	s, err := open(Config{Dir: dir}, disk)
	must(t, err)
	t.Cleanup(func() {
		disk.end()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, disk
}

// givenUp makes a call, and ends its ctx when it hangs; it returns the call's error.
func givenUp(t *testing.T, disk *hanging, call func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	select {
	case <-disk.came:
	case err := <-done:
		t.Fatalf("the call did not hang: %v", err)
	}
	cancel()
	select {
	case err := <-done:
		return err
	case <-late.C:
		disk.end()
		t.Fatalf("the call did not end with its ctx, but with the outage: %v", <-done)
		return nil
	}
}

// calls are the methods of a store, made for a session "s" in version 1.
var calls = map[string]func(ctx context.Context, s *Store) error{
	"load":   func(ctx context.Context, s *Store) error { _, err := s.Load(ctx, "s"); return err },
	"save":   func(ctx context.Context, s *Store) error { return s.Save(ctx, session("s", 2, "two"), 1) },
	"touch":  func(ctx context.Context, s *Store) error { return s.Touch(ctx, "s", time.UnixMilli(1<<40)) },
	"delete": func(ctx context.Context, s *Store) error { return s.Delete(ctx, "s") },
	"expire": func(ctx context.Context, s *Store) error {
		_, err := s.Expire(ctx, time.UnixMilli(1<<50))
		return err
	},
	"list": func(ctx context.Context, s *Store) error {
		for _, err := range s.IDs(ctx) {
			return err
		}
		return nil
	},
}

// TestHangEndsWithContext: whichever call hangs in whichever step of it, it ends with its
// ctx. What has not changed anything before it was given up changes nothing later.
func TestHangEndsWithContext(t *testing.T) {
	for _, tt := range []struct {
		call, in string
		after    string // what is found then: "one", "two", "touched" or "" for nothing
	}{
		{"load", "content", "one"}, {"list", "list", "one"},
		{"save", "look", "one"}, {"save", "create", "one"}, {"save", "write", "one"}, {"save", "sync", "one"},
		{"save", "rename", "two"}, {"save", "syncDir", "two"},
		{"touch", "open", "one"}, {"touch", "writeAt", "touched"},
		{"delete", "remove", ""}, {"delete", "syncDir", ""},
		{"expire", "list", "one"}, {"expire", "look", "one"}, {"expire", "remove", ""},
	} {
		t.Run(tt.call+"/"+tt.in, func(t *testing.T) {
			s, disk := hung(t, tt.in)
			err := givenUp(t, disk, func(ctx context.Context) error { return calls[tt.call](ctx, s) })
			if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrPending) {
				t.Errorf("given up: %v", err)
			}
			disk.end()
			must(t, s.Close()) // waits for it
			found := ""
			v, err := opened(t, Config{Dir: s.dir}).Load(t.Context(), "s")
			switch {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				t.Error(err)
			case v.Accessed.UnixMilli() == 1<<40:
				found = "touched"
			default:
				found = string(v.Data)
			}
			if found != tt.after {
				t.Errorf("found %q, want %q", found, tt.after)
			}
			if left, err := filepath.Glob(filepath.Join(s.dir, "tmp-*")); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// TestLeftBehindSaveOverwritesNothing: a save that was given up keeps the session until it
// has ended, against the same Store and against others. So a newer one comes after it, and
// finds what it has done.
func TestLeftBehindSaveOverwritesNothing(t *testing.T) {
	for _, in := range []string{"look", "write", "rename", "syncDir"} {
		t.Run(in, func(t *testing.T) {
			s, disk := hung(t, in)
			old := session("s", 2, "old")
			err := givenUp(t, disk, func(ctx context.Context) error { return s.Save(ctx, old, 1) })
			if !errors.Is(err, ErrPending) {
				t.Fatalf("given up: %v", err)
			}
			copy(old.Data, "???") // it is the caller's again
			other := opened(t, Config{Dir: s.dir})
			for _, at := range []*Store{s, other} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				if err := at.Save(ctx, session("s", 2, "new"), 1); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a save during the outage = %v", err)
				}
				cancel()
			}
			newer := make(chan error, 2)
			for _, at := range []*Store{s, other} {
				go func() { newer <- at.Save(t.Context(), session("s", 2, "new"), 1) }()
			}
			disk.end()
			saved := 0
			for range 2 {
				if err := <-newer; err == nil {
					saved++
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			}
			want := "old"
			if saved == 1 {
				want = "new"
			}
			v, err := other.Load(t.Context(), "s")
			must(t, err)
			if saved > 1 || string(v.Data) != want || v.Version != 2 {
				t.Errorf("%d newer saves, and then found %q", saved, v.Data)
			}
		})
	}
}

// TestHangsAreBounded: however many calls are given up, only so many are left behind; the
// next ones fail with their ctx, and were not begun. Other calls, and other sessions, go on.
func TestHangsAreBounded(t *testing.T) {
	s, disk := hung(t, "content")
	for range mostReads {
		if err := givenUp(t, disk, func(ctx context.Context) error { return calls["load"](ctx, s) }); !errors.Is(err, ErrPending) {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for range 3 {
		if _, err := s.Load(ctx, "s"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrPending) {
			t.Errorf("one more = %v", err)
		}
	}
	if n := len(disk.came); n > 0 {
		t.Errorf("%d more were begun", n)
	}
	must(t, s.Save(t.Context(), session("s", 2, "two"), 1)) // that does not hang
	disk.end()
	v, err := s.Load(t.Context(), "s")
	must(t, err)
	if v.Version != 2 {
		t.Errorf("version %d", v.Version)
	}
}

// TestHungSavesAreBounded: one save is left behind for each lock, and loads go on.
func TestHungSavesAreBounded(t *testing.T) {
	s, disk := hung(t, "create")
	used := make(map[int]bool)
	for i := 0; len(used) < shards; i++ {
		id := fmt.Sprintf("s%d", i)
		save := func(ctx context.Context) error { return s.Save(ctx, session(id, 1, "x"), 0) }
		if n := shardOf(id); !used[n] {
			used[n] = true
			if err := givenUp(t, disk, save); !errors.Is(err, ErrPending) {
				t.Fatal(err)
			}
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		if err := save(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrPending) {
			t.Errorf("one more = %v", err)
		}
		cancel()
	}
	if v, err := s.Load(t.Context(), "s"); err != nil || v.Version != 1 {
		t.Errorf("Load = %v, %v", v, err)
	}
}

// TestCloseOnDiskThatHangs: Close waits for what was left behind, for so long, and says that
// it is there; called again, it waits again. Calls fail meanwhile.
func TestCloseOnDiskThatHangs(t *testing.T) {
	for call, in := range map[string]string{"load": "content", "save": "rename"} {
		s, disk := hung(t, in)
		if err := givenUp(t, disk, func(ctx context.Context) error { return calls[call](ctx, s) }); !errors.Is(err, ErrPending) {
			t.Fatal(err)
		}
		s.patience = time.Millisecond
		for range 2 {
			if err := s.Close(); !errors.Is(err, ErrPending) {
				t.Errorf("Close = %v", err)
			}
		}
		for name, call := range calls {
			if err := call(t.Context(), s); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s after Close = %v", name, err)
			}
		}
		s.patience = time.Minute
		disk.end()
		must(t, s.Close())
		must(t, s.Close())
	}
}
