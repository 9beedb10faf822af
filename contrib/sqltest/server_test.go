//go:build databases

package sqltest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a database server of this test, which can be killed and started again.
type server struct {
	dir, ready string // ready is in its log when it accepts connections
	port       int
	command    []string
	stopWith   syscall.Signal
	account    *syscall.Credential // nil for that of the test

	cmd    *exec.Cmd
	logged chan struct{} // closed when all of its log was read
	mu     sync.Mutex
	log    strings.Builder
}

// program finds a program, also where Debian has those of servers.
func program(t testing.TB, name string) string {
	t.Helper()
	if p, err := exec.LookPath(name); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return p
		}
	}
	found, _ := filepath.Glob("/usr/sbin/" + name)
	if len(found) == 0 {
		found, _ = filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	}
	if len(found) == 0 {
		t.Fatalf("%s is missing: install postgresql and mariadb-server", name)
	}
	return found[len(found)-1]
}

// newServer makes the directory of a server. Servers refuse to run as root: then it belongs
// to another account.
func newServer(t testing.TB, account string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "tribes-sqltest-")
	must(t, err)
	cleanups = append(cleanups, func() { _ = os.RemoveAll(dir) })
	s := &server{dir: dir}
	if os.Getuid() == 0 {
		u, err := user.Lookup(account)
		if err != nil {
			u, err = user.Lookup("nobody")
		}
		must(t, err)
		uid, err := strconv.Atoi(u.Uid)
		must(t, err)
		gid, err := strconv.Atoi(u.Gid)
		must(t, err)
		must(t, os.Chown(dir, uid, gid))
		s.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.port = l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	return s
}

// prepare gives a command the account and the directory of the server. It dies with the
// test.
func (s *server) prepare(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (s *server) initialise(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := s.prepare(cmd).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, out)
	}
}

// start starts the server and returns when it accepts connections. After a kill the parts of
// the one before may need a moment until they have ended, too.
func (s *server) start(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !s.try(t); {
		if time.Now().After(deadline) {
			t.Fatalf("the server does not start:\n%s", s.output())
		}
	}
}

func (s *server) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// try starts the server, and returns false if it ends at once.
func (s *server) try(t testing.TB) bool {
	t.Helper()
	s.cmd = s.prepare(exec.Command(s.command[0], s.command[1:]...))
	r, w, err := os.Pipe()
	must(t, err)
	s.cmd.Stdout, s.cmd.Stderr = w, w
	must(t, s.cmd.Start())
	must(t, w.Close())
	ready := make(chan struct{})
	s.logged = make(chan struct{})
	go s.read(r, ready, s.logged)
	select {
	case <-ready:
		return true
	case <-s.logged:
		_ = s.cmd.Wait() // it did not start
		return false
	}
}

// read reads the log until all processes of the server have ended.
func (s *server) read(r io.ReadCloser, ready, done chan struct{}) {
	defer close(done)
	defer r.Close()
	told := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		s.mu.Lock()
		s.log.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
		if !told && strings.Contains(lines.Text(), s.ready) {
			told = true
			close(ready)
		}
	}
}

// end sends a signal and waits until nothing of the server is left.
func (s *server) end(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	must(t, s.cmd.Process.Signal(sig))
	_ = s.cmd.Wait() // its status is that of the signal
	<-s.logged
	s.cmd = nil
}

// running are the servers that tests have started, by the name of their database. They do
// not wait for the disk: they are killed, and the machine is not.
var running = make(map[string]*server)

func postgres(t testing.TB) *server {
	t.Helper()
	if s := running["postgres"]; s != nil {
		return s
	}
	s := newServer(t, "postgres")
	s.ready, s.stopWith = "database system is ready to accept connections", syscall.SIGINT
	data := filepath.Join(s.dir, "data")
	s.initialise(t, exec.Command(program(t, "initdb"), "-D", data, "-U", "tribes", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"))
	s.command = []string{program(t, "postgres"), "-D", data, "-k", s.dir, "-p", fmt.Sprint(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "fsync=off"}
	return s.run(t, "postgres")
}

func mariadb(t testing.TB) *server {
	t.Helper()
	if s := running["mariadb"]; s != nil {
		return s
	}
	s := newServer(t, "mysql")
	s.ready, s.stopWith = "ready for connections", syscall.SIGTERM
	data := "--datadir=" + filepath.Join(s.dir, "data")
	s.initialise(t, exec.Command(program(t, "mariadb-install-db"), "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"))
	s.command = []string{program(t, "mariadbd"), "--no-defaults", data, fmt.Sprintf("--port=%d", s.port), "--bind-address=127.0.0.1",
		"--socket=" + filepath.Join(s.dir, "socket"), "--pid-file=" + filepath.Join(s.dir, "pid"), "--max-connections=200",
		"--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=2", "--sync-frm=0"}
	return s.run(t, "mariadb")
}

// run starts a server that runs until the last test.
func (s *server) run(t testing.TB, name string) *server {
	t.Helper()
	s.start(t)
	running[name] = s
	cleanups = append([]func(){func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Signal(s.stopWith)
			_ = s.cmd.Wait()
			<-s.logged
		}
	}}, cleanups...)
	return s
}

// within is a context for what must end soon.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
