package filestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gotribes/tribes/session/store"
)

// content is what a child saves in a version.
func content(version uint64) string {
	return strings.Repeat(fmt.Sprintf("version %d;", version), 1000)
}

// child is what the test's program does when it was started by a test.
func child(task string) {
	ctx := context.Background()
	s, err := Open(Config{Dir: os.Getenv("TRIBES_FILESTORE_DIR"), NoSync: true})
	for n := uint64(1); err == nil; n++ {
		switch task {
		case "save": // until it is killed
			if err = s.Save(ctx, session("s", n, content(n)), n-1); err == nil {
				fmt.Println(n)
			}
		case "count":
			if err = add1(ctx, s); n == 100 {
				os.Exit(0)
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// add1 adds 1 to the number that is a session.
func add1(ctx context.Context, s *Store) error {
	for {
		v, err := s.Load(ctx, "count")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(v.Data))
		if err != nil {
			return err
		}
		err = s.Save(ctx, session("count", v.Version+1, strconv.Itoa(n+1)), v.Version)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func start(t *testing.T, task, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TRIBES_FILESTORE_CHILD="+task, "TRIBES_FILESTORE_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// TestKilledProcess: a process that is killed while it saves leaves a whole session, that
// is not older than its last success, and no lock.
func TestKilledProcess(t *testing.T) {
	for round := range 10 {
		dir := t.TempDir()
		cmd, lines := start(t, "save", dir)
		last := 0
		for range 20 + 7*round {
			if !lines.Scan() {
				t.Fatal("the process has ended")
			}
			last, _ = strconv.Atoi(lines.Text())
		}
		must(t, cmd.Process.Kill())
		for lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				last = n
			}
		}
		_ = cmd.Wait() // killed
		s := opened(t, Config{Dir: dir})
		v, err := s.Load(t.Context(), "s")
		must(t, err)
		if v.Version < uint64(last) || string(v.Data) != content(v.Version) {
			t.Errorf("version %d, %d bytes, after version %d was saved", v.Version, len(v.Data), last)
		}
		must(t, s.Save(t.Context(), session("s", v.Version+1, "x"), v.Version))
		if left, _ := filepath.Glob(filepath.Join(dir, "tmp-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestProcessesShareDirectory: of several processes that save one session at the same time
// none loses what it has saved.
func TestProcessesShareDirectory(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir, NoSync: true})
	must(t, s.Save(t.Context(), session("count", 1, "0"), 0))
	var all []*exec.Cmd
	for range 4 {
		cmd, _ := start(t, "count", dir)
		all = append(all, cmd)
	}
	for _, cmd := range all {
		must(t, cmd.Wait())
	}
	v, err := s.Load(t.Context(), "count")
	must(t, err)
	if string(v.Data) != "400" || v.Version != 401 {
		t.Errorf("4 processes added 100 times 1 each: %s, version %d", v.Data, v.Version)
	}
}
