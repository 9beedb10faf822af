package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/store"
)

var errCrash = errors.New("crash")

// crashing is a disk that breaks off at a step, and knows what is not safe then.
type crashing struct {
	system
	left  int             // steps until the crash
	fail  error           // of the step; the disk goes on afterwards if it is not errCrash
	dirty map[string]bool // files whose content is not synced
	names []func()        // what undoes the changes of names that are not synced, oldest first
}

// step returns an error if it must not be taken.
func (c *crashing) step() error {
	c.left--
	if c.left == -1 || c.left < 0 && errors.Is(c.fail, errCrash) {
		return c.fail
	}
	return nil
}

func (c *crashing) create(name string) (file, error) {
	if err := c.step(); err != nil {
		return nil, err
	}
	f, err := c.system.create(name)
	return &crashingFile{f, c, name}, err
}

func (c *crashing) open(name string) (file, error) {
	if err := c.step(); err != nil {
		return nil, err
	}
	f, err := c.system.open(name)
	if err != nil {
		return nil, err
	}
	return &crashingFile{f, c, name}, nil
}

func (c *crashing) rename(from, to string) error {
	if err := c.step(); err != nil {
		return err
	}
	was, err := os.ReadFile(to)
	there := err == nil
	c.names = append(c.names, func() {
		c.dirty[from], c.dirty[to] = c.dirty[to], false
		_ = os.Rename(to, from)
		if there {
			_ = os.WriteFile(to, was, 0o600)
		}
	})
	c.dirty[to] = c.dirty[from]
	return c.system.rename(from, to)
}

func (c *crashing) remove(name string) error {
	if err := c.step(); err != nil {
		return err
	}
	was, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	c.names = append(c.names, func() { _ = os.WriteFile(name, was, 0o600) })
	return c.system.remove(name)
}

func (c *crashing) syncDir(dir string) error {
	if err := c.step(); err != nil {
		return err
	}
	c.names = nil
	return c.system.syncDir(dir)
}

// lose does to the files what a machine without power may: contents that were not synced are
// cut off, names that were not synced are as before.
func (c *crashing) lose(contents, names bool) {
	if contents {
		for name, dirty := range c.dirty {
			if info, err := os.Stat(name); dirty && err == nil {
				_ = os.Truncate(name, info.Size()/2)
			}
		}
	}
	if names {
		for _, undo := range slices.Backward(c.names) {
			undo()
		}
	}
}

type crashingFile struct {
	file
	disk *crashing
	name string
}

// Write writes half of it if the disk crashes meanwhile.
func (f *crashingFile) Write(b []byte) (int, error) {
	f.disk.dirty[f.name] = true
	if err := f.disk.step(); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f *crashingFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.disk.step(); err != nil {
		n, _ := f.file.WriteAt(b[:len(b)/2], at)
		return n, err
	}
	return f.file.WriteAt(b, at)
}

func (f *crashingFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	delete(f.disk.dirty, f.name)
	return f.file.Sync()
}

func (f *crashingFile) Close() error {
	return errors.Join(f.file.Close(), f.disk.step())
}

// change is something that a crash comes into, for a session "s" that was saved as "old
// data" in version 1 if old is true.
type change struct {
	name string
	old  bool
	do   func(t *testing.T, s *Store) error
	// after says whether what is found is what there is afterwards.
	after func(v *store.Session) bool
}

var changes = []change{
	{"first save", false,
		func(t *testing.T, s *Store) error { return s.Save(t.Context(), session("s", 1, "new data"), 0) },
		func(v *store.Session) bool { return v != nil && v.Version == 1 && string(v.Data) == "new data" }},
	{"save", true,
		func(t *testing.T, s *Store) error { return s.Save(t.Context(), session("s", 2, "new data"), 1) },
		func(v *store.Session) bool { return v != nil && v.Version == 2 && string(v.Data) == "new data" }},
	{"delete", true,
		func(t *testing.T, s *Store) error { return s.Delete(t.Context(), "s") },
		func(v *store.Session) bool { return v == nil }},
	{"touch", true,
		func(t *testing.T, s *Store) error { return s.Touch(t.Context(), "s", time.UnixMilli(1<<40)) },
		func(v *store.Session) bool { return v != nil && v.Version == 1 && v.Accessed.UnixMilli() == 1<<40 }},
	{"expire", true,
		func(t *testing.T, s *Store) error {
			_, err := s.Expire(t.Context(), time.UnixMilli(1<<50))
			return err
		},
		func(v *store.Session) bool { return v == nil }},
}

// before says whether what is found is what there was.
func (c *change) before(v *store.Session) bool {
	if !c.old {
		return v == nil
	}
	return v != nil && v.Version == 1 && string(v.Data) == "old data" && v.Accessed.UnixMilli() == 1e12
}

// crash makes the change with a crash at a step, and returns what is found afterwards;
// finished says that the change had no such step.
func (c *change) crash(t *testing.T, dir string, step int, noSync, contents, names bool) (v *store.Session, finished bool, err error) {
	t.Helper()
	s := opened(t, Config{Dir: dir})
	if c.old {
		old := session("s", 1, "old data")
		old.Accessed = time.UnixMilli(1e12)
		must(t, s.Save(t.Context(), old, 0))
	}
	other := session("other", 1, "other data")
	other.Timeout = 0
	must(t, s.Save(t.Context(), other, 0))
	disk := &crashing{left: step, fail: errCrash, dirty: make(map[string]bool)}
	broken, err := open(Config{Dir: dir, NoSync: noSync}, disk)
	must(t, err)
	err = c.do(t, broken)
	if err != nil && !errors.Is(err, errCrash) {
		t.Fatalf("step %d: %v", step, err)
	}
	finished = err == nil
	must(t, broken.Close())
	disk.lose(contents, names)

	again := opened(t, Config{Dir: dir})
	if left, err := filepath.Glob(filepath.Join(dir, "tmp-*")); len(left) != 0 || err != nil {
		t.Errorf("step %d: left behind: %v, %v", step, left, err)
	}
	if v, err := again.Load(t.Context(), "other"); err != nil || string(v.Data) != "other data" {
		t.Errorf("step %d: another session: %v, %v", step, v, err)
	}
	v, err = again.Load(t.Context(), "s")
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	base := uint64(0)
	if v != nil {
		base = v.Version
	}
	if err == nil {
		must(t, again.Save(t.Context(), session("s", base+1, "next"), base))
	}
	return v, finished, err
}

// TestCrashAtEachStep: after a crash of the process or of the machine there is the old
// session or the new one, and after a success the new one.
func TestCrashAtEachStep(t *testing.T) {
	for _, c := range changes {
		for _, loss := range []struct {
			name            string
			contents, names bool
		}{{"process", false, false}, {"contents", true, false}, {"names", false, true}, {"both", true, true}} {
			t.Run(c.name+"/"+loss.name, func(t *testing.T) {
				for step := 0; ; step++ {
					v, finished, err := c.crash(t, t.TempDir(), step, false, loss.contents, loss.names)
					must(t, err)
					if !c.after(v) && !c.before(v) {
						t.Errorf("step %d: found %+v", step, v)
					}
					if !finished {
						continue
					}
					if c.after(v) || c.name == "expire" && loss.names { // what has expired may come back
						t.Logf("%d steps", step)
						return
					}
					t.Fatalf("a success, and then found %+v", v)
				}
			})
		}
	}
}

// TestCrashWithNoSync: it is enough for crashes of the process. That those of the machine
// can spoil a session shows that the test above can fail.
func TestCrashWithNoSync(t *testing.T) {
	save := changes[1]
	for step := 0; ; step++ {
		v, finished, err := save.crash(t, t.TempDir(), step, true, false, false)
		must(t, err)
		if !save.after(v) && !save.before(v) {
			t.Errorf("step %d: found %+v", step, v)
		}
		if finished {
			break
		}
	}
	var spoilt []string
	for step := 0; ; step++ {
		_, finished, err := save.crash(t, t.TempDir(), step, true, true, false)
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			spoilt = append(spoilt, fmt.Sprint(step))
		}
		if finished {
			break
		}
	}
	if len(spoilt) == 0 {
		t.Error("a machine that loses contents which were not synced spoils no session")
	}
}

// TestDiskFull: an error at any step leaves the old session and no temporary file, unless
// the new one is there already.
func TestDiskFull(t *testing.T) {
	for step := range 20 {
		dir := t.TempDir()
		must(t, opened(t, Config{Dir: dir}).Save(t.Context(), session("s", 1, "old data"), 0))
		disk := &crashing{left: step, fail: syscall.ENOSPC, dirty: make(map[string]bool)}
		s, err := open(Config{Dir: dir}, disk)
		must(t, err)
		err = s.Save(t.Context(), session("s", 2, strings.Repeat("new data", 100)), 1)
		v, loadErr := s.Load(t.Context(), "s")
		must(t, loadErr)
		must(t, s.Close())
		if left, _ := filepath.Glob(filepath.Join(dir, "tmp-*")); len(left) > 0 {
			t.Errorf("step %d: left behind: %v", step, left)
		}
		if err == nil {
			if step < 5 || v.Version != 2 {
				t.Errorf("step %d: success, version %d", step, v.Version)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, store.ErrConflict) || v.Version == 1 && string(v.Data) != "old data" {
			t.Errorf("step %d: %v, version %d", step, err, v.Version)
		}
	}
	t.Error("the save never succeeds")
}
