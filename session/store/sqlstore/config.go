package sqlstore

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultMaxData is the default of Config.MaxData: what MySQL's mediumblob holds.
const DefaultMaxData = 1<<24 - 1

// DefaultTable is the default of Config.Table.
const DefaultTable = "tomcat_sessions"

// Config says where in a database sessions are kept.
type Config struct {
	// Dialect is the SQL of the database. It must be set.
	Dialect Dialect
	// Table is the name of the table, or schema.table; DefaultTable if it is empty. Names are
	// quoted: in PostgreSQL upper and lower case differ. Like those of columns they have
	// letters, digits, '_' and '$', and 63 bytes at most.
	Table string
	// Columns are the names of the columns.
	Columns Columns
	// App keeps applications apart that use one table: at most 255 characters, none of
	// which is a control character, and no space at either end. It may be empty.
	App string
	// MaxData is the most bytes of a session, at most 1 GiB; more are store.ErrTooLarge. 0 is
	// DefaultMaxData. What the column holds is a limit, too.
	MaxData int
}

// Columns are the names of the columns. Those that are empty have their defaults.
type Columns struct {
	ID         string // session_id
	Valid      string // valid_session
	MaxIdle    string // max_inactive
	LastAccess string // last_access
	App        string // app_name
	Data       string // session_data
	Version    string // version
	Expires    string // expires
}

// column is one of Columns: what statements call it, its name, and the default of that.
type column struct {
	key       string
	name      *string
	otherwise string
}

func (c *Columns) all() []column {
	return []column{
		{"id", &c.ID, "session_id"},
		{"valid", &c.Valid, "valid_session"},
		{"idle", &c.MaxIdle, "max_inactive"},
		{"access", &c.LastAccess, "last_access"},
		{"app", &c.App, "app_name"},
		{"data", &c.Data, "session_data"},
		{"version", &c.Version, "version"},
		{"expires", &c.Expires, "expires"},
	}
}

// complete fills in the defaults and fails if something is wrong.
func (c *Config) complete() error {
	const mostData = 1 << 30
	var errs []error
	if dialectNames[c.Dialect] == "" {
		errs = append(errs, fmt.Errorf("Config.Dialect is %d: want PostgreSQL, MySQL or SQLite", int(c.Dialect)))
	}
	if c.Table == "" {
		c.Table = DefaultTable
	}
	schema, table, qualified := strings.Cut(c.Table, ".")
	if !goodName(schema) || qualified && !goodName(table) {
		errs = append(errs, fmt.Errorf("Config.Table %q is not the name of a table", c.Table))
	}
	taken := make(map[string]bool)
	for _, n := range c.Columns.all() {
		if *n.name == "" {
			*n.name = n.otherwise
		}
		if !goodName(*n.name) {
			errs = append(errs, fmt.Errorf("Config.Columns: %q is not the name of a column", *n.name))
		}
		if lower := strings.ToLower(*n.name); taken[lower] {
			errs = append(errs, fmt.Errorf("Config.Columns: two are called %q", *n.name))
		} else {
			taken[lower] = true
		}
	}
	if !goodApp(c.App) {
		errs = append(errs, fmt.Errorf("Config.App %q: want at most 255 characters, none a control character, no space at the ends", c.App))
	}
	switch {
	case c.MaxData == 0:
		c.MaxData = DefaultMaxData
	case c.MaxData < 0 || c.MaxData > mostData:
		errs = append(errs, fmt.Errorf("Config.MaxData is %d: want 1 to %d, or 0 for %d", c.MaxData, mostData, DefaultMaxData))
	}
	return errors.Join(errs...)
}

// goodName reports whether a name needs no escapes in any dialect.
func goodName(name string) bool {
	const most = 63 // PostgreSQL cuts off what is longer
	for i, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && ('0' <= c && c <= '9' || c == '$'):
		default:
			return false
		}
	}
	return name != "" && len(name) <= most
}

func goodApp(app string) bool {
	return utf8.ValidString(app) && utf8.RuneCountInString(app) <= 255 && strings.TrimSpace(app) == app &&
		!strings.ContainsFunc(app, unicode.IsControl)
}

// name returns what stands for a key in statements, quoted.
func (c *Config) name(key string) string {
	switch key {
	case "":
		schema, table, qualified := strings.Cut(c.Table, ".")
		if qualified {
			return c.Dialect.quote(schema) + "." + c.Dialect.quote(table)
		}
		return c.Dialect.quote(schema)
	case "index":
		const most = 63 - len("_expires")
		name := c.Table[strings.IndexByte(c.Table, '.')+1:]
		name = name[:min(len(name), most)] + "_expires"
		if schema, _, qualified := strings.Cut(c.Table, "."); qualified && c.Dialect == SQLite {
			return c.Dialect.quote(schema) + "." + c.Dialect.quote(name)
		}
		return c.Dialect.quote(name)
	case "indexed": // SQLite wants the schema with the index instead
		if c.Dialect == SQLite {
			return c.Dialect.quote(c.Table[strings.IndexByte(c.Table, '.')+1:])
		}
		return c.name("")
	}
	for _, n := range c.Columns.all() {
		if n.key == key {
			return c.Dialect.quote(*n.name)
		}
	}
	panic("tribes: sqlstore: no name " + key)
}
