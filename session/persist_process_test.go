package session

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gotribes/tribes/session/store/filestore"
)

// childDir is the variable with the directory of the store of a process that
// TestPersistKilledProcess has started.
const childDir = "TRIBES_SESSION_CHILD"

// newFiles returns a manager that keeps its sessions in files.
func newFiles(dir string) (*Manager, *filestore.Store, error) {
	files, err := filestore.Open(filestore.Config{Dir: dir, NoSync: true})
	if err != nil {
		return nil, nil, err
	}
	m, err := New(Config{Persist: &Persist{Store: files, EachRequest: true, OnError: Fail}})
	return m, files, err
}

// childOf serves requests of one client, one after the other, until it is killed. It prints
// what each response has promised.
func childOf(dir string) error {
	m, _, err := newFiles(dir)
	if err != nil {
		return err
	}
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := From(r)
		n, err := s.Add("n", 1)
		if err == nil {
			err = Set(s, "text", strings.Repeat(fmt.Sprint(n, ";"), 1000))
		}
		if err == nil && n%5 == 0 {
			err = s.Login(fmt.Sprint("user", n))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, n)
	}))
	for cookie := ""; ; {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", cookie)
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return fmt.Errorf("status %d: %s", w.Code, w.Body)
		}
		if set := w.Header().Get("Set-Cookie"); set != "" {
			cookie, _, _ = strings.Cut(set, ";")
		}
		fmt.Println(w.Body.String(), cookie)
	}
}

// A program that is killed while it saves, and started again, has what its last response has
// promised, and no half of anything.
func TestPersistKilledProcess(t *testing.T) {
	for round := range 8 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), childDir+"="+dir), os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines, last := bufio.NewScanner(out), ""
		for range 20 + 7*round {
			if !lines.Scan() {
				t.Fatal("the program has ended by itself")
			}
			last = lines.Text()
		}
		must(t, cmd.Process.Kill())
		for lines.Scan() {
			last = lines.Text()
		}
		_ = cmd.Wait() // it was killed
		acked, cookie := 0, ""
		if _, err := fmt.Sscan(last, &acked, &cookie); err != nil {
			continue // the last line was cut off
		}
		m, files, err := newFiles(dir)
		must(t, err)
		c := &client{t: t, m: m, cookie: cookie}
		c.with(func(s *Session) {
			if s.ID() == "" && acked%5 == 4 {
				return // a login was not answered: nobody has the new id
			}
			n, text := get[int](t, s, "n"), get[string](t, s, "text")
			if n != acked && n != acked+1 || text != strings.Repeat(fmt.Sprint(n, ";"), 1000) {
				t.Errorf("round %d: %d were acknowledged, n is %d, text %.20q", round, acked, n, text)
			}
		})
		must(t, errors.Join(m.Close(), files.Close()))
	}
}
