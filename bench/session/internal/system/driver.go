package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gotribes/tribes/bench/session/internal/place"
)

// driver knows how the nodes of a kind of store are started.
type driver interface {
	// missing tells what is not installed, or nil.
	missing() error
	// node prepares the folder dir for a node and returns its command line.
	node(s *System, host int, dir string) ([]string, error)
	// peers tells whether nodes know each other, so that a start waits until they do.
	peers(o Opts) bool
	// health is the path that a balancer asks for.
	health() string
}

// Kit has what the drivers need.
type Kit struct {
	// Demo is the program tribes-demo.
	Demo string
	// Build is the folder that peers/install fills.
	Build string
	// JavaOpts are given to each virtual machine.
	JavaOpts []string
}

func (k Kit) driver(name string) (driver, error) {
	switch name {
	case "tribes":
		return tribes{k.Demo}, nil
	case "tomcat":
		return tomcatDriver{filepath.Join(k.Build, "tomcat"), k.JavaOpts}, nil
	case "scs":
		return scs{filepath.Join(k.Build, "scs")}, nil
	}
	return nil, fmt.Errorf("no driver %q", name)
}

// Missing tells why a column cannot be measured here, or nil.
func (k Kit) Missing(c Column) error {
	d, err := k.driver(c.Driver)
	if err != nil {
		return err
	}
	if err := d.missing(); err != nil {
		return err
	}
	return missingStore(c)
}

// BuildDemo builds tribes-demo from this repository, whose root must be the current
// folder or above, into dir and returns its path.
func BuildDemo(ctx context.Context, dir string) (string, error) {
	to := filepath.Join(dir, "tribes-demo")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", to, "github.com/gotribes/tribes/cmd/tribes-demo").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building tribes-demo: %w: %s", err, out)
	}
	return to, nil
}

// exists is nil if there is a file of that name.
func exists(file string) error {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("%w; run bench/session/peers/install", err)
	}
	return nil
}

// tribes is the demo of this module.
type tribes struct{ demo string }

// missing also finds a program that has no command web yet.
func (t tribes) missing() error {
	if err := exec.Command(t.demo, "web", "-h").Run(); err != nil {
		return errors.New("tribes-demo has no command web")
	}
	return nil
}

func (t tribes) health() string { return "/ready" }

// peers is false where nodes meet in their store alone.
func (t tribes) peers(o Opts) bool {
	return o["manager"] == "delta" || o["manager"] == "full" || o["manager"] == "backup" || o["manager"] == "client"
}

func (t tribes) node(s *System, host int, _ string) ([]string, error) {
	o := s.Column.Opts
	demo, err := filepath.Abs(t.demo)
	if err != nil {
		return nil, err
	}
	args := []string{demo, "web", "-listen", s.listen(host), "-name", nodeName(host), "-manager", o["manager"],
		fmt.Sprint("-sticky=", !s.spread)}
	if o["manager"] == "local" {
		return args, nil
	}
	args = append(args, "-wait", o["wait"])
	if o["store"] != "" {
		args = append(args, "-store", s.storeFlag())
	}
	if t.peers(o) {
		args = append(args, s.member(host)...)
	}
	return args, nil
}

// storeFlag says to a node where its store is.
func (s *System) storeFlag() string {
	switch s.Column.Opts["store"] {
	case "file":
		return "file:" + s.shared
	case "redis":
		return "redis://" + s.at(place.Redis)
	case "memcached":
		return "memcached:" + s.at(place.Memcached)
	case "mariadb":
		return "mysql://" + mariadbUser + "@" + s.at(place.MariaDB) + "/" + mariadbName
	}
	return s.postgresURL()
}

// member are the flags of a member of the group on a host.
func (s *System) member(host int) []string {
	return []string{"-bind", s.place.Addr(host), "-port", fmt.Sprint(s.place.Port(host, place.Channel)),
		"-mcast-port", fmt.Sprint(s.place.Port(host, place.Multicast)), "-freq", "500", "-drop", "3000"}
}

// scs is the small server of peers/scs.
type scs struct{ program string }

func (c scs) missing() error  { return exists(c.program) }
func (c scs) peers(Opts) bool { return false }
func (c scs) health() string  { return "/whoami" }

func (c scs) node(s *System, host int, _ string) ([]string, error) {
	program, err := filepath.Abs(c.program)
	if err != nil {
		return nil, err
	}
	args := []string{program, "-listen", s.listen(host), "-name", nodeName(host)}
	switch s.Column.Opts["store"] {
	case "redis":
		args = append(args, "-redis", s.at(place.Redis))
	case "postgres":
		args = append(args, "-postgres", s.postgresURL())
	}
	return args, nil
}
