package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/contrib/internal/storetest"
	"github.com/gotribes/tribes/session/sessiontest"
	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/session/store/sqlstore"
)

// database is one to be tested.
type database struct {
	dialect sqlstore.Dialect
	// open opens a connection to it, for one node.
	open func(t testing.TB) *sql.DB
}

var must = storetest.Must

// openDB opens a database that is closed with the test.
func openDB(t testing.TB, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Log(err) // the server may have been killed
		}
	})
	return db
}

// stored returns a store whose table exists.
func (d *database) stored(t testing.TB, c sqlstore.Config) *sqlstore.Store {
	t.Helper()
	c.Dialect = d.dialect
	st, err := sqlstore.New(d.open(t), c)
	must(t, err)
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Log(err) // the server may have been killed
		}
	})
	must(t, st.CreateTable(t.Context()))
	return st
}

var tables atomic.Int64

// table is a name that no other test has.
func table() string { return fmt.Sprintf("sessions_%d", tables.Add(1)) }

func session(id string, version uint64, data string) *store.Session {
	return &store.Session{ID: id, Data: []byte(data), Version: version, Accessed: time.Now().Truncate(time.Millisecond), Timeout: time.Hour}
}

// ids lists what a store has.
func ids(t testing.TB, st store.Lister) string {
	t.Helper()
	var all []string
	for id, err := range st.IDs(t.Context()) {
		must(t, err)
		all = append(all, id)
	}
	return strings.Join(all, " ")
}

// testAll runs the tests that every database passes.
func testAll(t *testing.T, d *database) {
	t.Run("conformance", func(t *testing.T) { d.conformance(t, sqlstore.Config{MaxData: 1 << 20}) })
	t.Run("applications", d.applications)
	t.Run("names", d.names)
	t.Run("primary key of Tomcat", d.oneKey)
	t.Run("create at the same time", d.createTogether)
	t.Run("columns", d.columns)
	t.Run("16 MiB", d.large)
	t.Run("expire many", d.expireMany)
	t.Run("no table", d.noTable)
	t.Run("close", d.closed)
}

func (d *database) conformance(t *testing.T, c sqlstore.Config) {
	sessiontest.TestStore(t, sessiontest.Options{
		MaxData: c.MaxData,
		New: func(t testing.TB) func() store.Store {
			c := c
			c.Table = table()
			return func() store.Store { return d.stored(t, c) }
		},
	})
}

// applications of one table do not see each other's sessions.
func (d *database) applications(t *testing.T) {
	ctx := t.Context()
	name := table()
	a := d.stored(t, sqlstore.Config{Table: name, App: "/Catalina/a.example.com/shop"})
	b := d.stored(t, sqlstore.Config{Table: name, App: "größe"})
	none := d.stored(t, sqlstore.Config{Table: name})
	for _, st := range []*sqlstore.Store{a, b, none} {
		if _, err := st.Load(ctx, "s"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load = %v", err)
		}
		must(t, st.Save(ctx, session("s", 1, "x"), 0))
	}
	must(t, a.Save(ctx, session("s", 2, "of a"), 1))
	must(t, b.Delete(ctx, "s"))
	must(t, none.Touch(ctx, "s", time.Now().Add(time.Minute)))
	if n, err := none.Expire(ctx, time.Now().Add(2*time.Hour)); n != 1 || err != nil {
		t.Errorf("Expire = %d, %v", n, err)
	}
	if v, err := a.Load(ctx, "s"); err != nil || string(v.Data) != "of a" {
		t.Errorf("Load = %v, %v", v, err)
	}
	if all := ids(t, a) + "|" + ids(t, b) + "|" + ids(t, none); all != "s||" {
		t.Errorf("ids: %s", all)
	}
}

// names of tables and columns can be others, even words of SQL.
func (d *database) names(t *testing.T) {
	ctx := t.Context()
	st := d.stored(t, sqlstore.Config{
		Table: "group", App: "select",
		Columns: sqlstore.Columns{ID: "select", Valid: "Group", MaxIdle: "order", LastAccess: "from", App: "app", Data: "data", Version: "table", Expires: "where"},
	})
	must(t, st.Save(ctx, session("s", 1, "x"), 0))
	must(t, st.Save(ctx, session("s", 2, "y"), 1))
	must(t, st.Rename(ctx, "s", session("t", 3, "z"), 2))
	must(t, st.Touch(ctx, "t", time.Now().Add(time.Minute)))
	if v, err := st.Load(ctx, "t"); err != nil || v.Version != 3 || string(v.Data) != "z" {
		t.Errorf("Load = %v, %v", v, err)
	}
	if all := ids(t, st); all != "t" {
		t.Errorf("ids: %s", all)
	}
	if n, err := st.Expire(ctx, time.Now().Add(2*time.Hour)); n != 1 || err != nil {
		t.Errorf("Expire = %d, %v", n, err)
	}
	must(t, st.Delete(ctx, "t"))
}

// oneKey: with a table whose key is the id alone, as Tomcat's, the same promises hold, and
// another application with the same id is in conflict.
func (d *database) oneKey(t *testing.T) {
	ctx := t.Context()
	name := table()
	create, err := sqlstore.Schema(sqlstore.Config{Dialect: d.dialect, Table: name})
	must(t, err)
	db := d.open(t)
	for _, statement := range strings.SplitAfter(create, ";\n") {
		for _, quote := range []string{"`", `"`} {
			statement = strings.Replace(statement, fmt.Sprintf("PRIMARY KEY (%sapp_name%[1]s, %[1]ssession_id%[1]s)", quote), fmt.Sprintf("PRIMARY KEY (%ssession_id%[1]s)", quote), 1)
		}
		if statement != "" {
			_, err := db.ExecContext(ctx, statement)
			must(t, err)
		}
	}
	a := d.stored(t, sqlstore.Config{Table: name, App: "a"})
	b := d.stored(t, sqlstore.Config{Table: name, App: "b"})
	must(t, a.Save(ctx, session("s", 1, "a"), 0))
	must(t, b.Save(ctx, session("t", 1, "b"), 0))
	for _, err := range []error{
		b.Save(ctx, session("s", 1, "b"), 0), a.Save(ctx, session("s", 1, "b"), 0), b.Save(ctx, session("s", 2, "b"), 1),
		b.Rename(ctx, "t", session("s", 2, "b"), 1),
	} {
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("an id of another application: %v", err)
		}
	}
	if v, err := a.Load(ctx, "s"); err != nil || string(v.Data) != "a" {
		t.Errorf("%v, %v", v, err)
	}
}

// createTogether: nodes that start at the same time all make the table.
func (d *database) createTogether(t *testing.T) {
	for range 5 {
		name := table()
		var all []*sqlstore.Store
		for range 4 {
			st, err := sqlstore.New(d.open(t), sqlstore.Config{Dialect: d.dialect, Table: name})
			must(t, err)
			all = append(all, st)
		}
		errs := make(chan error)
		for _, st := range all {
			go func() { errs <- st.CreateTable(context.Background()) }()
		}
		for range all {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		must(t, all[0].Save(t.Context(), session("s", 1, "x"), 0))
	}
}

// columns holds what others read in the table.
func (d *database) columns(t *testing.T) {
	ctx := t.Context()
	name := table()
	st := d.stored(t, sqlstore.Config{Table: name, App: "shop"})
	v := session("s", 7, "x")
	v.Accessed, v.Timeout = time.UnixMilli(1_000_000), 1500*time.Millisecond
	must(t, st.Save(ctx, v, 0))
	must(t, st.Touch(ctx, "s", time.UnixMilli(2_000_000)))
	want := "s 1 2 2000000 shop 7 2001500"
	read := func() string {
		var id, valid, app string
		var idle, access, version int64
		var expires sql.NullInt64
		must(t, d.open(t).QueryRowContext(ctx, "SELECT session_id, valid_session, max_inactive, last_access, app_name, version, expires FROM "+name).
			Scan(&id, &valid, &idle, &access, &app, &version, &expires))
		return fmt.Sprint(id, " ", valid, " ", idle, " ", access, " ", app, " ", version, " ", expires.Int64)
	}
	if got := read(); got != want {
		t.Errorf("the row: %s, want %s", got, want)
	}
	v.Version, v.Timeout = 8, 0
	must(t, st.Save(ctx, v, 7))
	if got, want := read(), "s 1 0 1000000 shop 8 0"; got != want {
		t.Errorf("the row: %s, want %s", got, want)
	}
}

// large: what the default allows is kept whole, less 4 KiB in a database whose packets have
// 16 MiB.
func (d *database) large(t *testing.T) {
	ctx := t.Context()
	st := d.stored(t, sqlstore.Config{Table: table()})
	size := sqlstore.DefaultMaxData
	if d.dialect == sqlstore.MySQL {
		size = 1<<24 - 4096
	}
	data := strings.Repeat("0123456789abcde\x00", 1<<20)[:size]
	must(t, st.Save(ctx, session("s", 1, data), 0))
	if v, err := st.Load(ctx, "s"); err != nil || string(v.Data) != data {
		t.Errorf("Load: %v", err)
	}
	if err := st.Save(ctx, session("s", 2, data+"x"), 1); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save of one byte more = %v", err)
	}
}

// expireMany removes more than one statement does.
func (d *database) expireMany(t *testing.T) {
	ctx := t.Context()
	st := d.stored(t, sqlstore.Config{Table: table()})
	now := time.Now()
	for i := range 1203 {
		v := session(fmt.Sprintf("s%d", i), 1, "x")
		v.Accessed = now.Add(-time.Hour - time.Duration(i/300)*time.Second) // many at the same time
		must(t, st.Save(ctx, v, 0))
	}
	must(t, st.Save(ctx, session("stays", 1, "x"), 0))
	if n, err := st.Expire(ctx, now); n != 1203 || err != nil {
		t.Errorf("Expire = %d, %v", n, err)
	}
	if all := ids(t, st); all != "stays" {
		t.Errorf("ids: %s", all)
	}
}

func (d *database) noTable(t *testing.T) {
	st, err := sqlstore.New(d.open(t), sqlstore.Config{Dialect: d.dialect, Table: table()})
	must(t, err)
	_, load := st.Load(t.Context(), "s")
	for _, err := range []error{load, st.Save(t.Context(), session("s", 1, "x"), 0), st.Save(t.Context(), session("s", 2, "x"), 1), st.Delete(t.Context(), "s")} {
		if !storetest.Outage(err) {
			t.Errorf("without a table: %v", err)
		}
	}
	must(t, st.CreateTable(t.Context())) // and now it works
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
	must(t, st.Close())
}

func (d *database) closed(t *testing.T) {
	st := d.stored(t, sqlstore.Config{Table: table()})
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
	must(t, st.Close())
	must(t, st.Close())
	if err := st.Save(t.Context(), session("s", 2, "x"), 1); !storetest.Outage(err) {
		t.Errorf("after Close: %v", err)
	}
}
