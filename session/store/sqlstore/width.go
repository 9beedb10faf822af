package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gotribes/tribes/session/store"
)

// widths are what columns of MySQL hold: one that is not in strict mode cuts off what is
// longer, and says so in a warning that drivers do not show.
type widths struct {
	id, data int64
}

// fits fails with store.ErrTooLarge if the table cannot keep v whole.
func (s *Store) fits(ctx context.Context, v *store.Session) error {
	if len(v.Data) > s.config.MaxData {
		return fmt.Errorf("%w: %d bytes, at most %d", store.ErrTooLarge, len(v.Data), s.config.MaxData)
	}
	if s.config.Dialect != MySQL {
		return nil // the others refuse what does not fit
	}
	w := s.width.Load()
	if w == nil {
		var err error
		if w, err = s.readWidths(ctx); err != nil {
			return failure(ctx, "columns", err)
		}
		s.width.Store(w)
	}
	switch {
	case int64(len(v.Data)) > w.data:
		return fmt.Errorf("%w: %d bytes, and the column or max_allowed_packet allows %d", store.ErrTooLarge, len(v.Data), w.data)
	case int64(len(v.ID)) > w.id:
		return fmt.Errorf("%w: an id of %d bytes, and the column has %d", store.ErrTooLarge, len(v.ID), w.id)
	}
	return nil
}

// columnsQuery asks for the columns of the table, in the database that is used if its name
// has none.
const columnsQuery = "SELECT COLUMN_NAME, DATA_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(COLLATION_NAME, '')" +
	" FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?"

// mysqlColumn is a column as the database describes it.
type mysqlColumn struct {
	kind, collation string
	width           int64
}

func (s *Store) readWidths(ctx context.Context) (*widths, error) {
	schema, table, qualified := strings.Cut(s.config.Table, ".")
	if !qualified {
		schema, table = "", schema
	}
	rows, err := s.db.QueryContext(ctx, columnsQuery, schema, table)
	if err != nil {
		return nil, err
	}
	found := make(map[string]mysqlColumn)
	for rows.Next() {
		var name string
		var c mysqlColumn
		if err := rows.Scan(&name, &c.kind, &c.width, &c.collation); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		found[strings.ToLower(name)] = c
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no table %s: see CreateTable", s.config.Table)
	}
	return s.check(ctx, found)
}

// check fails if the columns cannot keep what they should without the server's saying so.
func (s *Store) check(ctx context.Context, found map[string]mysqlColumn) (*widths, error) {
	get := func(name string) mysqlColumn { return found[strings.ToLower(name)] }
	c := s.config.Columns
	for _, name := range []string{c.LastAccess, c.Version, c.Expires} {
		if kind := get(name).kind; kind != "bigint" {
			return nil, fmt.Errorf("column %s is %q, and must be bigint", name, kind)
		}
	}
	id, app, data := get(c.ID), get(c.App), get(c.Data)
	binary := []string{"tinyblob", "blob", "mediumblob", "longblob", "varbinary"}
	switch {
	case !slices.Contains(binary, data.kind):
		return nil, fmt.Errorf("column %s is %q, and must be a blob", c.Data, data.kind)
	case id.collation != "" && !strings.HasSuffix(id.collation, "_bin") && id.collation != "binary":
		return nil, fmt.Errorf("column %s has the collation %s, for which some ids are the same: it must be one that ends in _bin", c.ID, id.collation)
	case int64(len([]rune(s.config.App))) > app.width:
		return nil, fmt.Errorf("column %s holds %d characters, and Config.App has more", c.App, app.width)
	}
	var packet sql.NullInt64
	if err := s.db.QueryRowContext(ctx, "SELECT @@max_allowed_packet").Scan(&packet); err != nil {
		return nil, err
	}
	w := &widths{id: id.width, data: data.width}
	const rest = 4096 // of the packet, for the other values
	if packet.Valid {
		w.data = min(w.data, max(0, packet.Int64-rest))
	}
	return w, nil
}
