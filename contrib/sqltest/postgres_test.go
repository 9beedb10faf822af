//go:build databases

package sqltest

import (
	"errors"
	"strings"
	"testing"

	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/session/store/sqlstore"
)

// TestNarrowID: PostgreSQL refuses an id that does not fit itself.
func TestNarrowID(t *testing.T) {
	_, d := postgresDatabase(t, "")
	st := d.stored(t, alter(t, d, "ALTER session_id TYPE varchar(100)"))
	if err := st.Save(t.Context(), session(strings.Repeat("i", 101), 1, "x"), 0); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Save = %v", err)
	}
	must(t, st.Save(t.Context(), session(strings.Repeat("i", 100), 1, "x"), 0))
}

// TestSchema: the table can be in another schema than public.
func TestSchema(t *testing.T) {
	_, d := postgresDatabase(t, "")
	_, err := d.open(t).ExecContext(t.Context(), "DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop")
	must(t, err)
	d.stored(t, sqlstore.Config{Table: "shop.sessions"})
	n := 0
	must(t, d.open(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_indexes WHERE schemaname = 'shop' AND tablename = 'sessions'").Scan(&n))
	if n != 2 {
		t.Errorf("%d indexes", n)
	}
	st := d.stored(t, sqlstore.Config{Table: "shop.sessions"})
	must(t, st.Save(t.Context(), session("s", 1, "x"), 0))
}
