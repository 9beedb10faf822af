package system

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// other is what a store needs beside its nodes, on a host of its own: a database, the
// balancer, or a node that only keeps sessions.
type other struct {
	host    int
	folder  string
	args    []string
	process *place.Process // nil before it is started
	dir     string         // to be removed at the end; "" is none
}

// databases are what stores need, by what the option store says.
var databases = map[string]place.Service{
	"redis": place.Redis, "postgres": place.Postgres, "mariadb": place.MariaDB, "memcached": place.Memcached,
}

// needs are the services that a column has beside its nodes.
func needs(c Column, balancer bool) []place.Service {
	var all []place.Service
	if service, ok := databases[c.Opts["store"]]; ok {
		all = append(all, service)
	}
	if c.Opts["manager"] == "client" {
		all = append(all, place.Keeper, place.SecondKeeper)
	}
	if balancer {
		all = append(all, place.Front)
	}
	return all
}

// at is the address of a service beside the nodes.
func (s *System) at(service place.Service) string {
	host := s.others[service].host
	return net.JoinHostPort(s.place.Addr(host), strconv.Itoa(s.place.Port(host, service)))
}

// startStores starts the databases of a column, or the nodes that hold the sessions of the
// others, and returns when they take connections.
func (s *System) startStores(ctx context.Context) error {
	for _, start := range []struct {
		service place.Service
		folder  string
		command func(context.Context, *other) ([]string, error)
	}{
		{place.Redis, "redis", s.redis},
		{place.Memcached, "memcached", s.memcached},
		{place.MariaDB, "mariadb", s.mariadb},
		{place.Postgres, "postgres", s.postgres},
		{place.Keeper, "keeper1", s.keeper},
		{place.SecondKeeper, "keeper2", s.keeper},
	} {
		o := s.others[start.service]
		if o == nil {
			continue
		}
		o.folder = s.Column.Name + "-" + start.folder
		if _, err := s.place.Folder(o.folder); err != nil {
			return err
		}
		var err error
		if o.args, err = start.command(ctx, o); err != nil {
			return err
		}
		if err := s.startOther(ctx, start.service); err != nil {
			return err
		}
	}
	if s.others[place.Postgres] != nil {
		if err := s.createTable(ctx, s.others[place.Postgres]); err != nil {
			return err
		}
	}
	if s.Column.Opts["store"] != "file" {
		return nil
	}
	dir, err := s.place.Folder(s.Column.Name + "-shared")
	s.shared = dir
	return err
}

// startOther starts what stands beside the nodes, again if it has run before, and returns
// when it takes connections.
func (s *System) startOther(ctx context.Context, service place.Service) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	o, port := s.others[service], service
	if service == place.Keeper || service == place.SecondKeeper {
		port = place.Channel
	}
	again := o.process != nil // the one before was killed, and parts of it may be in the way
	for {
		if o.process, err = s.place.Start(o.host, o.folder, o.args, nil); err != nil {
			return err
		}
		err := o.takes(ctx, s.place.Dial(o.host, port))
		if err == nil || !again || ctx.Err() != nil {
			return err
		}
	}
}

// takes waits until a connection is taken; it is an error if the process has ended.
func (o *other) takes(ctx context.Context, dial web.Dial) error {
	for {
		if c, err := dial(ctx); err == nil {
			return c.Close()
		}
		select {
		case <-o.process.Done():
			return o.process.Complaint(o.folder + " ended")
		case <-ctx.Done():
			return o.process.Complaint(o.folder + " takes no connections")
		case <-time.After(awaitStep):
		}
	}
}

// redis keeps nothing on disk, or with the option aof each write before it answers.
func (s *System) redis(_ context.Context, o *other) ([]string, error) {
	args := []string{"redis-server", "--bind", s.place.Addr(o.host), "--port", strconv.Itoa(s.place.Port(o.host, place.Redis)),
		"--save", "", "--protected-mode", "no"}
	if when := s.Column.Opts["aof"]; when != "" {
		return append(args, "--appendonly", "yes", "--appendfsync", when), nil
	}
	return append(args, "--appendonly", "no"), nil
}

// memcached has memory for everything, and says so rather than forget anything.
func (s *System) memcached(_ context.Context, o *other) ([]string, error) {
	return []string{"memcached", "-l", s.place.Addr(o.host), "-p", strconv.Itoa(s.place.Port(o.host, place.Memcached)),
		"-U", "0", "-u", "nobody", "-m", "1024", "-M"}, nil
}

// keeper is a node that holds the sessions of the others, which wait for it.
func (s *System) keeper(_ context.Context, o *other) ([]string, error) {
	demo, err := filepath.Abs(s.driver.(tribes).demo)
	if err != nil {
		return nil, err
	}
	return append([]string{demo, "store", "-name", fmt.Sprint("keeper", o.host)}, s.member(o.host)...), nil
}

// postgresURL is how nodes come to their table.
func (s *System) postgresURL() string {
	return "postgres://postgres@" + s.at(place.Postgres) + "/postgres?sslmode=disable"
}

// postgres is a fresh PostgreSQL. It does not run as root.
func (s *System) postgres(ctx context.Context, o *other) ([]string, error) {
	as, err := o.privately("postgres")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(o.dir, "data")
	initialise := append(as, postgresProgram("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
	if out, err := exec.CommandContext(ctx, initialise[0], initialise[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := trustAll(filepath.Join(data, "pg_hba.conf")); err != nil {
		return nil, err
	}
	return append(as, postgresProgram("postgres"), "-D", data, "-h", s.place.Addr(o.host), "-p", strconv.Itoa(s.place.Port(o.host, place.Postgres)),
		"-c", "max_connections=200", "-c", "unix_socket_directories="+o.dir), nil
}

// createTable waits for PostgreSQL and makes Tomcat's table. It comes by a socket in the
// file system, since this process may be on no network of the hosts.
func (s *System) createTable(ctx context.Context, o *other) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	to := []string{"-U", "postgres", "-h", o.dir, "-p", strconv.Itoa(s.place.Port(o.host, place.Postgres))}
	for exec.CommandContext(ctx, postgresProgram("pg_isready"), append(to, "-q")...).Run() != nil {
		select {
		case <-o.process.Done():
			return o.process.Complaint("PostgreSQL ended")
		case <-ctx.Done():
			return o.process.Complaint("PostgreSQL takes no connections")
		case <-time.After(awaitStep):
		}
	}
	out, err := exec.CommandContext(ctx, postgresProgram("psql"), append(to, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", tomcatTable)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}

// tomcatTable is what Tomcat expects to be there; the other stores make their own.
const tomcatTable = `CREATE TABLE sessions_of_tomcat (session_id varchar(100) PRIMARY KEY, valid_session char(1) NOT NULL,
max_inactive int NOT NULL, last_access bigint NOT NULL, app_name varchar(255), session_data bytea);
CREATE INDEX ON sessions_of_tomcat (app_name)`

// trustAll lets everybody in who reaches the hosts of a measurement.
func trustAll(hba string) error {
	f, err := os.OpenFile(hba, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("host all all 0.0.0.0/0 trust\n"); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// privately makes a folder for a program that does not run as root, and returns what runs
// a command as its user.
func (o *other) privately(name string) (as []string, err error) {
	if o.dir, err = os.MkdirTemp("", "session-"+name+"-"); err != nil {
		return nil, err
	}
	return notRoot(name, o.dir)
}

// notRoot gives dir to a user and returns what runs a command as that user, if this
// process is root; programs that refuse root need it.
func notRoot(name, dir string) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return []string{"setpriv", "--reuid=" + u.Uid, "--regid=" + u.Gid, "--init-groups"}, os.Chown(dir, uid, gid)
}

// postgresProgram is a program of PostgreSQL; Debian has them where no PATH leads.
func postgresProgram(name string) string {
	if found, err := exec.LookPath(name); err == nil {
		return found
	}
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(all) == 0 {
		return name
	}
	return all[len(all)-1]
}

// missingStore tells why the database of a column cannot be started here, or nil.
func missingStore(c Column) error {
	switch c.Opts["store"] {
	case "redis":
		_, err := exec.LookPath("redis-server")
		return err
	case "memcached":
		_, err := exec.LookPath("memcached")
		return err
	case "mariadb":
		_, err := exec.LookPath(mariadbProgram)
		return err
	case "postgres":
		_, err := exec.LookPath(postgresProgram("postgres"))
		return err
	}
	return nil
}
