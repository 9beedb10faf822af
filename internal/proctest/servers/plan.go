// Package servers runs databases for tests and measurements: PostgreSQL, MariaDB, Redis,
// Valkey and memcached, each with a directory and a port of its own, next to whatever the
// machine runs. [Start] is for tests; who starts processes in another way, as in a network
// namespace, asks for the [Engine.Plan].
package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Engine is a kind of server.
type Engine struct {
	// Name is that of the engine, as in PostgreSQL.
	Name string

	programs []string       // that must be installed, the server first
	account  string         // that it has in place of root, if there is one
	careless []string       // arguments: faster, and a machine that crashes loses something
	end      syscall.Signal // asks it to end, whoever is connected
	discard  syscall.Signal // the quickest end that leaves nothing behind but files
	plan     func(c Config) (*Plan, error)
}

// Config is where a server runs.
type Config struct {
	Host, Port string
	// Dir is empty at first. [Engine.Plan] gives it to the account of the server, which
	// must be able to get there; its name should be short, since there are sockets in it.
	Dir string
	// More are arguments behind those that the plan has, which they override.
	More []string
	// Leash lets the server be killed when the thread ends that has started it, as all do
	// with their process. It needs Linux.
	Leash bool
}

func (c Config) file(name string) string { return filepath.Join(c.Dir, name) }

// Plan is how a server is run.
type Plan struct {
	// Init are commands that run once, one after the other, before the first start.
	Init [][]string
	// Run is the server's command. It stays in the foreground.
	Run []string
	// URL is how clients come to it, as in the flag -store of tribes-demo web.
	URL string
	// Ready is nil when the server answers. It asks in the server's own protocol, by a
	// socket in the directory if there is one: then it need not reach the host.
	Ready func(ctx context.Context) error
}

// Missing says what has to be installed, or is nil.
func (e *Engine) Missing() error {
	for _, name := range e.programs {
		if _, err := program(name); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	return nil
}

// Plan prepares the directory and returns how the server is run in it. Servers refuse to run
// as root: then they have an account that is there for them, or that of nobody.
func (e *Engine) Plan(c Config) (*Plan, error) {
	if err := e.Missing(); err != nil {
		return nil, err
	}
	p, err := e.plan(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	p.Run = append(p.Run, c.More...)
	as, err := e.as(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	for i, args := range p.Init {
		p.Init[i] = append(as[:len(as):len(as)], args...)
	}
	p.Run = append(as[:len(as):len(as)], p.Run...)
	return p, nil
}

// as gives the directory to the account of the server and returns what runs a command in
// both.
func (e *Engine) as(c Config) ([]string, error) {
	var options []string
	if c.Leash {
		options = append(options, "--pdeathsig=KILL")
	}
	if os.Geteuid() == 0 {
		u, err := user.Lookup(e.account)
		if err != nil {
			u, err = user.Lookup("nobody")
		}
		if err != nil {
			return nil, err
		}
		if err := give(c.Dir, u); err != nil {
			return nil, err
		}
		options = append(options, "--reuid="+u.Uid, "--regid="+u.Gid, "--init-groups")
	}
	if options == nil {
		return nil, nil
	}
	return append([]string{"env", "-C", c.Dir, "setpriv"}, options...), nil
}

// give gives a directory, and the files right in it, to a user.
func give(dir string, u *user.User) error {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, name := range append(files, dir) {
		if err := os.Chown(name, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// program finds a program, also where Debian has those of servers.
func program(name string) (string, error) {
	found, err := exec.LookPath(name)
	if err == nil {
		return found, nil
	}
	for _, pattern := range []string{"/usr/sbin/", "/usr/lib/postgresql/*/bin/"} {
		if all, err := filepath.Glob(pattern + name); err == nil && len(all) > 0 {
			return all[len(all)-1], nil
		}
	}
	return "", err
}
