package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/gotribes/tribes/bench/session/internal/place"
)

// mariadbProgram is the server. Its account and database are for whoever reaches the hosts
// of a measurement.
const (
	mariadbProgram = "mariadbd"
	mariadbUser    = "bench"
	mariadbName    = "sessions"
	mariadbInit    = "CREATE DATABASE IF NOT EXISTS sessions CHARACTER SET utf8mb4;\n" +
		"CREATE USER IF NOT EXISTS bench@'%';\nGRANT ALL ON sessions.* TO bench@'%';\n"
)

// mariadb is a fresh MariaDB with one database. It does not run as root.
func (s *System) mariadb(ctx context.Context, o *other) ([]string, error) {
	as, err := o.privately("mysql")
	if err != nil {
		return nil, err
	}
	data := "--datadir=" + filepath.Join(o.dir, "data")
	initialise := append(as, "mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db")
	if out, err := exec.CommandContext(ctx, initialise[0], initialise[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	first := filepath.Join(o.dir, "init.sql")
	if err := os.WriteFile(first, []byte(mariadbInit), 0o644); err != nil {
		return nil, err
	}
	return append(as, mariadbProgram, "--no-defaults", data, "--bind-address="+s.place.Addr(o.host),
		"--port="+strconv.Itoa(s.place.Port(o.host, place.MariaDB)), "--socket="+filepath.Join(o.dir, "socket"),
		"--pid-file="+filepath.Join(o.dir, "pid"), "--init-file="+first, "--max-connections=200", "--skip-name-resolve"), nil
}
