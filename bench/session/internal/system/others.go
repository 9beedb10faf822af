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
)

// other is what a store needs beside its nodes, on a host of its own: a database, the
// balancer, or a node that only keeps sessions.
type other struct {
	host    int
	process *place.Process // nil before it is started
	dir     string         // to be removed at the end; "" is none
}

// needs are the services that a column has beside its nodes.
func needs(c Column, balancer bool) []place.Service {
	var all []place.Service
	switch c.Opts["store"] {
	case "redis":
		all = append(all, place.Redis)
	case "postgres":
		all = append(all, place.Postgres)
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

// startStores starts the databases of a column.
func (s *System) startStores(ctx context.Context) error {
	if s.others[place.Redis] != nil {
		if err := s.startRedis(); err != nil {
			return err
		}
	}
	if s.others[place.Postgres] != nil {
		if err := s.startPostgres(ctx); err != nil {
			return err
		}
	}
	for _, keeper := range []place.Service{place.Keeper, place.SecondKeeper} {
		if s.others[keeper] != nil {
			if err := s.startKeeper(keeper); err != nil {
				return err
			}
		}
	}
	if s.Column.Opts["store"] != "file" {
		return nil
	}
	dir, err := s.place.Folder(s.Column.Name + "-shared")
	s.shared = dir
	return err
}

func (s *System) startRedis() error {
	o := s.others[place.Redis]
	folder := s.Column.Name + "-redis"
	_, err := s.place.Folder(folder)
	if err != nil {
		return err
	}
	o.process, err = s.place.Start(o.host, folder, []string{"redis-server", "--bind", s.place.Addr(o.host),
		"--port", strconv.Itoa(s.place.Port(o.host, place.Redis)), "--save", "", "--appendonly", "no", "--protected-mode", "no"}, nil)
	return err
}

// startKeeper starts a node that holds the sessions of the others, which wait for it.
func (s *System) startKeeper(service place.Service) error {
	o := s.others[service]
	folder := fmt.Sprintf("%s-keeper%d", s.Column.Name, o.host)
	if _, err := s.place.Folder(folder); err != nil {
		return err
	}
	demo, err := filepath.Abs(s.driver.(tribes).demo)
	if err != nil {
		return err
	}
	args := append([]string{demo, "store", "-name", fmt.Sprint("keeper", o.host)}, s.member(o.host)...)
	o.process, err = s.place.Start(o.host, folder, args, nil)
	return err
}

// postgresURL is how nodes come to their table.
func (s *System) postgresURL() string {
	return "postgres://postgres@" + s.at(place.Postgres) + "/postgres?sslmode=disable"
}

// startPostgres starts a fresh PostgreSQL, and returns when it takes connections. It
// does not run as root.
func (s *System) startPostgres(ctx context.Context) error {
	o := s.others[place.Postgres]
	folder := s.Column.Name + "-postgres"
	if _, err := s.place.Folder(folder); err != nil {
		return err
	}
	var err error
	if o.dir, err = os.MkdirTemp("", "session-postgres-"); err != nil {
		return err
	}
	as, err := notRoot("postgres", o.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(o.dir, "data")
	initialise := append(as, postgresProgram("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
	if out, err := exec.CommandContext(ctx, initialise[0], initialise[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := trustAll(filepath.Join(data, "pg_hba.conf")); err != nil {
		return err
	}
	addr := s.place.Addr(o.host)
	args := append(as, postgresProgram("postgres"), "-D", data, "-h", addr, "-p", strconv.Itoa(s.place.Port(o.host, place.Postgres)),
		"-c", "max_connections=200", "-c", "unix_socket_directories="+o.dir)
	if o.process, err = s.place.Start(o.host, folder, args, nil); err != nil {
		return err
	}
	return s.createTable(ctx, o)
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
	case "postgres":
		_, err := exec.LookPath(postgresProgram("postgres"))
		return err
	}
	return nil
}
