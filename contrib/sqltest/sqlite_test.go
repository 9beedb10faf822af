//go:build !race

package sqltest

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/gotribes/tribes/contrib/internal/storetest"
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
	if err := st.Save(t.Context(), session("s", 1, "x"), 0); !storetest.Outage(err) {
		t.Errorf("Save into a locked database = %v", err)
	}
	must(t, tx.Commit())
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
}

// TestSQLiteOtherConstraints: what a table of the user's own does not allow is an error that
// says so, and not a conflict with another node, which would be tried again and again.
func TestSQLiteOtherConstraints(t *testing.T) {
	d := &database{sqlstore.SQLite, func(t testing.TB) *sql.DB { return openDB(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "s.db")) }}
	db := d.open(t)
	d = &database{sqlstore.SQLite, func(testing.TB) *sql.DB { return db }}
	st := d.stored(t, sqlstore.Config{})
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
	for _, statement := range []string{
		"CREATE TRIGGER no_delete BEFORE DELETE ON tomcat_sessions BEGIN SELECT RAISE(ABORT, 'audited'); END",
		"ALTER TABLE tomcat_sessions ADD COLUMN tenant TEXT CHECK (session_id <> 'bad')",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	if err := st.Delete(t.Context(), "s"); !storetest.Outage(err) || !strings.Contains(err.Error(), "audited") {
		t.Errorf("Delete = %v", err)
	}
	if err := st.Save(t.Context(), session("bad", 1, "x"), 0); !storetest.Outage(err) || !strings.Contains(err.Error(), "CHECK") {
		t.Errorf("Save = %v", err)
	}
	if err := st.Save(t.Context(), session("s", 1, "x"), 0); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Save of what is there = %v", err)
	}
}

// sqliteSource is a database in a file that processes share.
func sqliteSource(file string) string {
	return "file:" + file + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
}

func init() { children["sqlite"] = sqliteChild }

// sqliteChild saves one session until it is killed.
func sqliteChild() {
	db, err := sql.Open("sqlite", sqliteSource(os.Getenv("TRIBES_SQLTEST_FILE")))
	if err != nil {
		return
	}
	st, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite})
	if err != nil {
		return
	}
	for v := uint64(1); ; v++ {
		if err := st.Save(context.Background(), session("s", v, sqliteBody(v)), v-1); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Println(v)
	}
}

func sqliteBody(version uint64) string {
	return strings.Repeat(fmt.Sprintf("version %d;", version), 2000)
}

// TestSQLiteProcessIsKilled: a process that is killed while it saves leaves a whole session
// that is not older than its last success, and another one goes on with it at once.
func TestSQLiteProcessIsKilled(t *testing.T) {
	for round := range 5 {
		file := filepath.Join(t.TempDir(), "sessions.db")
		d := &database{sqlstore.SQLite, func(t testing.TB) *sql.DB { return openDB(t, "sqlite", sqliteSource(file)) }}
		st := d.stored(t, sqlstore.Config{})
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TRIBES_SQLTEST_CHILD=sqlite", "TRIBES_SQLTEST_FILE="+file)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		last := uint64(0)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			last, err = strconv.ParseUint(lines.Text(), 10, 64)
			must(t, err)
			if last == uint64(10+3*round) {
				must(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait() // killed
		v, err := st.Load(t.Context(), "s")
		must(t, err)
		if last == 0 || v.Version != last && v.Version != last+1 || string(v.Data) != sqliteBody(v.Version) {
			t.Errorf("version %d, %d bytes, after version %d was confirmed", v.Version, len(v.Data), last)
		}
		must(t, st.Save(t.Context(), session("s", v.Version+1, "x"), v.Version))
	}
}
