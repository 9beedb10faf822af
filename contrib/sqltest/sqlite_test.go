//go:build !race

package sqltest

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/session/store/sqlstore"
)

func TestSQLite(t *testing.T) {
	source := "file:" + filepath.Join(t.TempDir(), "sessions.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	testAll(t, &database{sqlstore.SQLite, func(t testing.TB) *sql.DB { return openDB(t, "sqlite", source) }})
}

// TestSQLiteInMemory: one connection is enough for all methods.
func TestSQLiteInMemory(t *testing.T) {
	sessiontest.TestStore(t, sessiontest.Options{
		MaxData: 1 << 20,
		New: func(t testing.TB) func() store.Store {
			db := openDB(t, "sqlite", ":memory:")
			db.SetMaxOpenConns(1)
			d := &database{sqlstore.SQLite, func(testing.TB) *sql.DB { return db }}
			return func() store.Store { return d.stored(t, sqlstore.Config{MaxData: 1 << 20}) }
		},
	})
}

// TestSQLiteBusy: a database that another one has locked is an error after some tries, also
// without a busy timeout, and not a conflict.
func TestSQLiteBusy(t *testing.T) {
	source := "file:" + filepath.Join(t.TempDir(), "sessions.db")
	d := &database{sqlstore.SQLite, func(t testing.TB) *sql.DB { return openDB(t, "sqlite", source) }}
	st := d.stored(t, sqlstore.Config{})
	tx, err := d.open(t).BeginTx(t.Context(), nil)
	must(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO tomcat_sessions VALUES ('x', '1', 0, 0, '', '', 1, NULL)")
	must(t, err)
	if err := st.Save(t.Context(), session("s", 1, "x"), 0); !outage(err) {
		t.Errorf("Save into a locked database = %v", err)
	}
	must(t, tx.Commit())
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
}
