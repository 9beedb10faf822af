package sqlstore

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is the SQL of a database.
type Dialect int

// The dialects. There is no default.
const (
	PostgreSQL Dialect = iota + 1
	MySQL              // and MariaDB
	SQLite
)

var dialectNames = map[Dialect]string{PostgreSQL: "postgresql", MySQL: "mysql", SQLite: "sqlite"}

// String returns "postgresql", "mysql" or "sqlite".
func (d Dialect) String() string {
	if name := dialectNames[d]; name != "" {
		return name
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// ParseDialect is the opposite of Dialect.String. It also knows "postgres" and "mariadb".
func ParseDialect(name string) (Dialect, error) {
	switch strings.ToLower(name) {
	case "postgresql", "postgres":
		return PostgreSQL, nil
	case "mysql", "mariadb":
		return MySQL, nil
	case "sqlite":
		return SQLite, nil
	}
	return 0, fmt.Errorf("tribes: sqlstore: no dialect %q: want postgresql, mysql or sqlite", name)
}

// quote quotes a name, which holds no quotes.
func (d Dialect) quote(name string) string {
	if d == MySQL {
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

// place puts the names into a statement, {column} or {} for the table, and makes of each ?
// what the dialect has for it.
func (c *Config) place(statement string) string {
	var b strings.Builder
	marks := 0
	for rest := statement; rest != ""; {
		i := strings.IndexAny(rest, "?{")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		if rest[i] == '{' {
			key, after, _ := strings.Cut(rest[i+1:], "}")
			b.WriteString(c.name(key))
			rest = after
			continue
		}
		marks++
		if c.Dialect == PostgreSQL {
			b.WriteString("$" + strconv.Itoa(marks))
		} else {
			b.WriteByte('?')
		}
		rest = rest[i+1:]
	}
	return b.String()
}
