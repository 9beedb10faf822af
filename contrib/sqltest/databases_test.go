//go:build databases

package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/session/store/sqlstore"
)

func (s *server) postgresDB(t testing.TB, parameters string) *sql.DB {
	t.Helper()
	return openDB(t, "pgx", fmt.Sprintf("postgres://tribes@127.0.0.1:%d/postgres?%s", s.port, parameters))
}

func (s *server) mariadbDB(t testing.TB, parameters string) *sql.DB {
	t.Helper()
	return openDB(t, "mysql", fmt.Sprintf("root@unix(%s/socket)/sqltest?%s", s.dir, parameters))
}

// postgresDatabase is PostgreSQL, started if need be.
func postgresDatabase(t testing.TB) (*server, *database) {
	t.Helper()
	s := postgres(t)
	return s, &database{sqlstore.PostgreSQL, func(t testing.TB) *sql.DB { return s.postgresDB(t, "") }}
}

func mariadbDatabase(t testing.TB, parameters string) (*server, *database) {
	t.Helper()
	s := mariadb(t)
	db := openDB(t, "mysql", fmt.Sprintf("root@unix(%s/socket)/", s.dir))
	_, err := db.ExecContext(t.Context(), "CREATE DATABASE IF NOT EXISTS sqltest")
	must(t, err)
	return s, &database{sqlstore.MySQL, func(t testing.TB) *sql.DB { return s.mariadbDB(t, parameters) }}
}

func TestPostgreSQL(t *testing.T) {
	_, d := postgresDatabase(t)
	testAll(t, d)
}

// TestPostgreSQLSerializable: what the database rolls back is tried again.
func TestPostgreSQLSerializable(t *testing.T) {
	s, d := postgresDatabase(t)
	d.open = func(t testing.TB) *sql.DB { return s.postgresDB(t, "default_transaction_isolation=serializable") }
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

func testServer(t *testing.T, f func(t *testing.T, s *server, d *database)) {
	t.Run("PostgreSQL", func(t *testing.T) {
		s, d := postgresDatabase(t)
		f(t, s, d)
	})
	t.Run("MariaDB", func(t *testing.T) {
		s, d := mariadbDatabase(t, "")
		f(t, s, d)
	})
}

// body is what is saved in a version.
func body(id string, version uint64) string {
	return strings.Repeat(fmt.Sprintf("%s in version %d;", id, version), 2000)
}

// savers save sessions, each its own, until the server fails.
type savers struct {
	st       store.Store
	versions []uint64 // the last ones that were confirmed
	errs     []error
	saves    atomic.Int64
	enough   chan struct{} // closed after 100 saves
}

func (s *savers) run(ctx context.Context, i int) {
	id := fmt.Sprintf("s%d", i)
	for {
		v := s.versions[i] + 1
		if s.errs[i] = s.st.Save(ctx, session(id, v, body(id, v)), v-1); s.errs[i] != nil {
			return
		}
		s.versions[i] = v
		if s.saves.Add(1) == 100 {
			close(s.enough)
		}
	}
}

// found checks what the server has of a session when it is back.
func (s *savers) found(t *testing.T, i int) {
	t.Helper()
	id, confirmed := fmt.Sprintf("s%d", i), s.versions[i]
	if !outage(s.errs[i]) {
		t.Errorf("the error of a server that is killed: %v", s.errs[i])
	}
	got, err := s.st.Load(within(t, time.Minute), id)
	if errors.Is(err, store.ErrNotFound) && confirmed == 0 {
		return
	}
	must(t, err)
	if got.Version != confirmed && got.Version != confirmed+1 || string(got.Data) != body(id, got.Version) {
		t.Errorf("%s has version %d with %d bytes, after version %d was confirmed", id, got.Version, len(got.Data), confirmed)
	}
	s.versions[i] = got.Version
}

// TestServerIsKilled: a server that is killed in the middle of saves has, when it is back,
// the last session that it confirmed or the one that was on its way, whole.
func TestServerIsKilled(t *testing.T) {
	const many = 6
	testServer(t, func(t *testing.T, s *server, d *database) {
		all := &savers{st: d.stored(t, sqlstore.Config{Table: table()}), versions: make([]uint64, many), errs: make([]error, many)}
		for range 3 {
			all.enough = make(chan struct{})
			all.saves.Store(0)
			var wg sync.WaitGroup
			ctx := within(t, time.Minute)
			for i := range many {
				wg.Go(func() { all.run(ctx, i) })
			}
			select {
			case <-all.enough:
			case <-ctx.Done():
				t.Fatal("no 100 saves within a minute")
			}
			s.end(t, syscall.SIGKILL)
			wg.Wait()
			s.start(t)
			for i := range many {
				all.found(t, i)
			}
			t.Logf("killed after %d saves", all.saves.Load())
		}
	})
}

// calls calls each method, and returns the errors.
func calls(ctx context.Context, st *sqlstore.Store) map[string]error {
	_, load := st.Load(ctx, "s")
	_, expire := st.Expire(ctx, time.Now())
	var list error
	for _, err := range st.IDs(ctx) {
		list = err
	}
	return map[string]error{
		"Load": load, "Save": st.Save(ctx, session("s", 2, "x"), 1), "first Save": st.Save(ctx, session("t", 1, "x"), 0),
		"Touch": st.Touch(ctx, "s", time.Now().Add(time.Second)), "Delete": st.Delete(ctx, "s"), "Expire": expire, "IDs": list,
		"Rename": st.Rename(ctx, "s", session("u", 2, "x"), 1),
	}
}

// TestServerIsDown: that is an error which says nothing of a session, and all is well when
// the server is back.
func TestServerIsDown(t *testing.T) {
	testServer(t, func(t *testing.T, s *server, d *database) {
		st := d.stored(t, sqlstore.Config{Table: table()})
		must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
		s.end(t, s.stopWith)
		for name, err := range calls(within(t, 10*time.Second), st) {
			if !outage(err) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s without a server = %v", name, err)
			}
		}
		s.start(t)
		if v, err := st.Load(t.Context(), "s"); err != nil || v.Version != 1 {
			t.Errorf("Load = %v, %v", v, err)
		}
	})
}

// TestServerHangs: calls end with their context. What they wanted may take place later, as
// with MariaDB, which goes on with a statement whose connection is gone.
func TestServerHangs(t *testing.T) {
	testServer(t, func(t *testing.T, s *server, d *database) {
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
