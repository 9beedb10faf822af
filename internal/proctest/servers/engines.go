package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// The databases have a user tribes without a password, who may do everything.

// PostgreSQL is postgres.
var PostgreSQL = &Engine{
	Name: "PostgreSQL", programs: []string{"initdb"}, account: "postgres",
	careless: []string{"-c", "fsync=off"},
	end:      syscall.SIGINT, discard: syscall.SIGQUIT, // to SIGTERM it waits for its clients
	plan: func(c Config) (*Plan, error) {
		if err := os.WriteFile(c.file("hba"), []byte("local all all trust\nhost all all all trust\n"), 0o600); err != nil {
			return nil, err
		}
		initdb, err := filepath.EvalSymlinks(found("initdb")) // the others lie beside it
		if err != nil {
			return nil, err
		}
		return &Plan{
			Init: [][]string{{initdb, "-D", c.file("data"), "-U", "tribes", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"}},
			Run: []string{beside(initdb, "postgres"), "-D", c.file("data"), "-h", c.Host, "-p", c.Port, "-k", c.Dir,
				"-c", "hba_file=" + c.file("hba"), "-c", "max_connections=200"},
			URL:   "postgres://tribes@" + net.JoinHostPort(c.Host, c.Port) + "/postgres",
			Ready: says(beside(initdb, "pg_isready"), "-q", "-h", c.Dir, "-p", c.Port),
		}, nil
	},
}

// MariaDB is mariadbd, with a database tribes.
var MariaDB = &Engine{
	Name: "MariaDB", programs: []string{"mariadbd", "mariadb-install-db", "mariadb-admin"}, account: "mysql",
	careless: []string{"--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=2", "--sync-frm=0"},
	end:      syscall.SIGTERM, discard: syscall.SIGKILL,
	plan: func(c Config) (*Plan, error) {
		err := os.WriteFile(c.file("start"), []byte("CREATE DATABASE IF NOT EXISTS tribes CHARACTER SET utf8mb4;\n"+
			"CREATE USER IF NOT EXISTS tribes@'%';\nGRANT ALL ON *.* TO tribes@'%' WITH GRANT OPTION;\n"), 0o600)
		if err != nil {
			return nil, err
		}
		return &Plan{
			Init: [][]string{{found("mariadb-install-db"), "--no-defaults", "--datadir=" + c.file("data"),
				"--auth-root-authentication-method=normal", "--skip-test-db"}},
			Run: []string{found("mariadbd"), "--no-defaults", "--datadir=" + c.file("data"), "--bind-address=" + c.Host, "--port=" + c.Port,
				"--socket=" + c.file("socket"), "--pid-file=" + c.file("pid"), "--init-file=" + c.file("start"), "--max-connections=200"},
			URL:   "mysql://tribes@" + net.JoinHostPort(c.Host, c.Port) + "/tribes",
			Ready: says(found("mariadb-admin"), "--no-defaults", "--socket="+c.file("socket"), "--user=tribes", "ping"),
		}, nil
	},
}

// Redis is redis-server, which loses nothing that it has acknowledged.
var Redis = redis("Redis", "redis")

// Valkey is valkey-server, set up as Redis is.
var Valkey = redis("Valkey", "valkey")

func redis(name, account string) *Engine {
	server := account + "-server"
	return &Engine{
		Name: name, programs: []string{server}, account: account, end: syscall.SIGTERM, discard: syscall.SIGKILL,
		plan: func(c Config) (*Plan, error) {
			addr := net.JoinHostPort(c.Host, c.Port)
			return &Plan{
				Run: []string{found(server), "--bind", c.Host, "--port", c.Port, "--dir", c.Dir, "--protected-mode", "no",
					"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"},
				URL:   "redis://" + addr,
				Ready: answers(addr, "PING\r\n", "+PONG\r\n"),
			}, nil
		},
	}
}

// Memcached is memcached. It has nothing left when it comes back.
var Memcached = &Engine{
	Name: "memcached", programs: []string{"memcached"}, account: "memcache", end: syscall.SIGTERM, discard: syscall.SIGKILL,
	plan: func(c Config) (*Plan, error) {
		addr := net.JoinHostPort(c.Host, c.Port)
		return &Plan{
			Run:   []string{found("memcached"), "-l", c.Host, "-p", c.Port, "-U", "0", "-t", "2"},
			URL:   "memcached:" + addr,
			Ready: answers(addr, "version\r\n", "VERSION "),
		}, nil
	},
}

// All are all engines that every Debian has; Valkey is in the backports of some only.
var All = []*Engine{PostgreSQL, MariaDB, Redis, Memcached}

func beside(path, name string) string { return filepath.Join(filepath.Dir(path), name) }

// found is a program of an engine from which nothing is missing.
func found(name string) string {
	path, err := program(name)
	if err != nil {
		panic(fmt.Sprintf("%s has gone: %v", name, err))
	}
	return path
}
