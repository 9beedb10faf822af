//go:build databases

package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/session/store/sqlstore"
)

// alter makes a table whose columns are as in a statement.
func alter(t *testing.T, d *database, change string) sqlstore.Config {
	t.Helper()
	c := sqlstore.Config{Dialect: d.dialect, Table: table()}
	d.stored(t, c)
	_, err := d.open(t).ExecContext(t.Context(), "ALTER TABLE "+c.Table+" "+change)
	must(t, err)
	return c
}

// TestNarrowColumns: with columns that are smaller than sessions, a server which is not
// strict cuts off what others write. A store does not.
func TestNarrowColumns(t *testing.T) {
	for _, mode := range []string{"", "sql_mode=''"} {
		_, d := mariadbDatabase(t, mode)
		ctx := t.Context()
		narrow := d.stored(t, alter(t, d, "MODIFY session_data blob NOT NULL, MODIFY session_id varchar(100) CHARACTER SET ascii COLLATE ascii_bin"))
		data := strings.Repeat("x", 65535)
		must(t, narrow.Save(ctx, session("s", 1, data), 0))
		for _, err := range []error{
			narrow.Save(ctx, session("s", 2, data+"y"), 1), narrow.Save(ctx, session("t", 1, data+"y"), 0),
			narrow.Rename(ctx, "s", session("t", 2, data+"y"), 1), narrow.Save(ctx, session(strings.Repeat("i", 101), 1, "x"), 0),
		} {
			if !errors.Is(err, store.ErrTooLarge) {
				t.Errorf("%q: a session that does not fit: %v", mode, err)
			}
		}
		must(t, narrow.Save(ctx, session(strings.Repeat("i", 100), 1, "x"), 0))
		if v, err := narrow.Load(ctx, "s"); err != nil || v.Version != 1 || string(v.Data) != data {
			t.Errorf("%q: Load: %v, %v", mode, v, err)
		}
	}
}

// TestServerCutsOff shows what the check of the columns is for.
func TestServerCutsOff(t *testing.T) {
	_, d := mariadbDatabase(t, "sql_mode=''")
	c := alter(t, d, "MODIFY session_data blob NOT NULL")
	db := d.open(t)
	_, err := db.ExecContext(t.Context(), "INSERT INTO "+c.Table+" VALUES ('s', '1', 0, 0, '', ?, 1, NULL)", make([]byte, 70_000))
	must(t, err)
	n := 0
	must(t, db.QueryRowContext(t.Context(), "SELECT LENGTH(session_data) FROM "+c.Table).Scan(&n))
	if n != 65535 {
		t.Errorf("the server has kept %d bytes", n)
	}
}

// TestColumnsThatCannotWork are named in an error before anything is saved.
func TestColumnsThatCannotWork(t *testing.T) {
	_, d := mariadbDatabase(t, "sql_mode=''")
	for change, column := range map[string]string{
		"MODIFY session_data mediumtext":  "session_data",
		"MODIFY version int NOT NULL":     "version",
		"MODIFY last_access int NOT NULL": "last_access",
		"MODIFY expires timestamp":        "expires",
		"DROP COLUMN version":             "version",
		"MODIFY session_id varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci": "session_id",
	} {
		st := d.stored(t, alter(t, d, change))
		if err := st.Save(t.Context(), session("s", 1, "x"), 0); !storetest.Outage(err) || !strings.Contains(err.Error(), "column "+column) {
			t.Errorf("%s: %v", change, err)
		}
	}
	c := alter(t, d, "MODIFY app_name varchar(3)")
	c.App = "shop"
	if err := d.stored(t, c).Save(t.Context(), session("s", 1, "x"), 0); !storetest.Outage(err) || !strings.Contains(err.Error(), "app_name") {
		t.Errorf("an application that does not fit: %v", err)
	}
}

// TestPacketTooSmall: the server's max_allowed_packet is a limit, too.
func TestPacketTooSmall(t *testing.T) {
	_, d := mariadbDatabase(t, "")
	db := d.open(t)
	var was int64
	must(t, db.QueryRowContext(t.Context(), "SELECT @@global.max_allowed_packet").Scan(&was))
	set := func(n int64) {
		_, err := db.ExecContext(t.Context(), fmt.Sprintf("SET GLOBAL max_allowed_packet = %d", n))
		must(t, err)
	}
	set(1 << 20)
	defer set(was)
	st := d.stored(t, sqlstore.Config{Table: table()})
	must(t, st.Save(t.Context(), session("s", 1, strings.Repeat("x", 1<<20-4096)), 0))
	if err := st.Save(t.Context(), session("s", 2, strings.Repeat("x", 1<<20)), 1); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save of more than a packet = %v", err)
	}
}

// TestGrants: those that docs/stores.md names are enough.
func TestGrants(t *testing.T) {
	s, d := mariadbDatabase(t, "")
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb4",
		"CREATE USER IF NOT EXISTS shop@'%' IDENTIFIED BY 'x'",
		"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON shop.* TO shop@'%'",
	} {
		_, err := d.open(t).ExecContext(t.Context(), statement)
		must(t, err)
	}
	d.open = func(t testing.TB) *sql.DB {
		return openDB(t, "mysql", "shop:x@tcp("+s.Addr+")/shop")
	}
	st := d.stored(t, sqlstore.Config{})
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
	must(t, st.Rename(t.Context(), "s", session("t", 2, "y"), 1))
	if n, err := st.Expire(t.Context(), time.Now().Add(2*time.Hour)); n != 1 || err != nil {
		t.Errorf("Expire = %d, %v", n, err)
	}
}

// TestServerIsStopped: a server that is there and says nothing costs no more than the
// context, and nothing when it goes on.
func TestServerIsStopped(t *testing.T) {
	s, d := mariadbDatabase(t, "")
	st := d.stored(t, sqlstore.Config{Table: table()})
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
	s.Stop()
	for range 2 { // with a connection that there is, and with a new one
		begin := time.Now()
		_, err := st.Load(within(t, 200*time.Millisecond), "s")
		if !errors.Is(err, context.DeadlineExceeded) || !storetest.Outage(err) || time.Since(begin) > 10*time.Second {
			t.Errorf("Load = %v after %v", err, time.Since(begin))
		}
	}
	s.Signal(syscall.SIGCONT)
	if v, err := st.Load(t.Context(), "s"); err != nil || v.Version != 1 {
		t.Errorf("Load = %v, %v", v, err)
	}
}
