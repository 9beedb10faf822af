//go:build databases

package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/internal/proctest/servers"
	"github.com/gotribes/tribes/session/store/sqlstore"
)

// postgresDatabase is PostgreSQL, with parameters of its driver.
func postgresDatabase(t testing.TB, parameters string) (*servers.Server, *database) {
	t.Helper()
	s := server(t, servers.PostgreSQL)
	return s, &database{sqlstore.PostgreSQL, func(t testing.TB) *sql.DB { return openDB(t, "pgx", s.URL+"?"+parameters) }}
}

func mariadbDatabase(t testing.TB, parameters string) (*servers.Server, *database) {
	t.Helper()
	s := server(t, servers.MariaDB)
	return s, &database{sqlstore.MySQL, func(t testing.TB) *sql.DB {
		return openDB(t, "mysql", "tribes@tcp("+s.Addr+")/tribes?"+parameters)
	}}
}

func TestPostgreSQL(t *testing.T) {
	_, d := postgresDatabase(t, "")
	testAll(t, d)
}

// TestPostgreSQLSerializable: what the database rolls back is tried again.
func TestPostgreSQLSerializable(t *testing.T) {
	_, d := postgresDatabase(t, "default_transaction_isolation=serializable")
	d.conformance(t, sqlstore.Config{})
}

func TestMariaDB(t *testing.T) {
	_, d := mariadbDatabase(t, "")
	testAll(t, d)
}

// TestMariaDBNotStrict: in no mode of the server is anything cut off.
func TestMariaDBNotStrict(t *testing.T) {
	_, d := mariadbDatabase(t, "sql_mode=''&clientFoundRows=true")
	d.conformance(t, sqlstore.Config{MaxData: 1 << 20})
}

// TestMariaDBText: statements that the driver puts together as text.
func TestMariaDBText(t *testing.T) {
	_, d := mariadbDatabase(t, "interpolateParams=true&parseTime=true&charset=latin1")
	d.conformance(t, sqlstore.Config{MaxData: 1 << 20})
}

func testServer(t *testing.T, f func(t *testing.T, s *servers.Server, d *database)) {
	t.Run("PostgreSQL", func(t *testing.T) {
		s, d := postgresDatabase(t, "")
		f(t, s, d)
	})
	t.Run("MariaDB", func(t *testing.T) {
		s, d := mariadbDatabase(t, "")
		f(t, s, d)
	})
}

// TestServerIsKilled: a server that is killed in the middle of saves has, when it is back,
// the last session that it confirmed or the one that was on its way, whole.
func TestServerIsKilled(t *testing.T) {
	testServer(t, func(t *testing.T, s *servers.Server, d *database) {
		storetest.Killed(t, d.stored(t, sqlstore.Config{Table: table()}), func() { s.Kill() }, s.Start)
	})
}

// TestServerIsDown: that is an error which says nothing of a session, and all is well when
// the server is back.
func TestServerIsDown(t *testing.T) {
	testServer(t, func(t *testing.T, s *servers.Server, d *database) {
		st := d.stored(t, sqlstore.Config{Table: table()})
		must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
		s.End()
		ctx := within(t, 10*time.Second)
		storetest.Broken(ctx, t, st, nil)
		must(t, ctx.Err()) // nothing waits for it
		s.Start()
		if v, err := st.Load(t.Context(), "s"); err != nil || v.Version != 1 {
			t.Errorf("Load = %v, %v", v, err)
		}
	})
}

// TestServerHangs: calls end with their context. What they wanted may take place later, as
// with MariaDB, which goes on with a statement whose connection is gone.
func TestServerHangs(t *testing.T) {
	testServer(t, func(t *testing.T, s *servers.Server, d *database) {
		db := d.open(t)
		st, err := sqlstore.New(db, sqlstore.Config{Dialect: d.dialect, Table: table()})
		must(t, err)
		must(t, st.CreateTable(t.Context()))
		must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
		// A transaction that holds the row hangs who wants to change it, as a server would.
		tx, err := d.open(t).BeginTx(t.Context(), nil)
		must(t, err)
		_, err = tx.ExecContext(t.Context(), "UPDATE "+fmt.Sprintf("sessions_%d", tables.Load())+" SET version = 1, valid_session = '0'")
		must(t, err)
		for name, call := range map[string]func(ctx context.Context) error{
			"Save":   func(ctx context.Context) error { return st.Save(ctx, session("s", 2, "x"), 1) },
			"Touch":  func(ctx context.Context) error { return st.Touch(ctx, "s", time.Now().Add(time.Second)) },
			"Delete": func(ctx context.Context) error { return st.Delete(ctx, "s") },
			"Rename": func(ctx context.Context) error { return st.Rename(ctx, "s", session("u", 2, "x"), 1) },
		} {
			begin := time.Now()
			err := call(within(t, 200*time.Millisecond))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 10*time.Second {
				t.Errorf("%s that hangs = %v after %v", name, err, time.Since(begin))
			}
		}
		must(t, tx.Rollback())
		must(t, st.Save(t.Context(), session("t", 1, "x"), 0))
		if v, err := st.Load(t.Context(), "t"); err != nil || v.Version != 1 || string(v.Data) != "x" {
			t.Errorf("Load = %v, %v", v, err)
		}
		must(t, st.Close())
	})
}
