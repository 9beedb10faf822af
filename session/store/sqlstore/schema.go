package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// schemas are the statements that make the table. The types are those of the columns in the
// package's documentation; what else they say: ids differ if a byte does, and MySQL's table
// survives a crash.
var schemas = map[Dialect][]string{
	PostgreSQL: {`CREATE TABLE IF NOT EXISTS {} (
    {id} varchar(200) COLLATE "C" NOT NULL,
    {valid} char(1) NOT NULL,
    {idle} integer NOT NULL,
    {access} bigint NOT NULL,
    {app} varchar(255) COLLATE "C" NOT NULL,
    {data} bytea NOT NULL,
    {version} bigint NOT NULL,
    {expires} bigint,
    PRIMARY KEY ({app}, {id})
)`, `CREATE INDEX IF NOT EXISTS {index} ON {indexed} ({app}, {expires})`},
	MySQL: {`CREATE TABLE IF NOT EXISTS {} (
    {id} varchar(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    {valid} char(1) NOT NULL,
    {idle} int NOT NULL,
    {access} bigint NOT NULL,
    {app} varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    {data} mediumblob NOT NULL,
    {version} bigint NOT NULL,
    {expires} bigint,
    PRIMARY KEY ({app}, {id}),
    INDEX {index} ({app}, {expires})
) ENGINE=InnoDB`},
	SQLite: {`CREATE TABLE IF NOT EXISTS {} (
    {id} TEXT NOT NULL,
    {valid} TEXT NOT NULL,
    {idle} INTEGER NOT NULL,
    {access} INTEGER NOT NULL,
    {app} TEXT NOT NULL,
    {data} BLOB NOT NULL,
    {version} INTEGER NOT NULL,
    {expires} INTEGER,
    PRIMARY KEY ({app}, {id})
)`, `CREATE INDEX IF NOT EXISTS {index} ON {indexed} ({app}, {expires})`},
}

// Schema returns the SQL that makes the table of a configuration, unless it is there: each
// statement with a semicolon and a line end.
func Schema(c Config) (string, error) {
	if err := c.complete(); err != nil {
		return "", fmt.Errorf("tribes: sqlstore: %w", err)
	}
	var b strings.Builder
	for _, statement := range schemas[c.Dialect] {
		b.WriteString(c.place(statement) + ";\n")
	}
	return b.String(), nil
}

// CreateTable makes the table, unless there is one of its name, whatever its columns. Several
// nodes may do so at the same time.
func (s *Store) CreateTable(ctx context.Context) error {
	again := func(c code) bool { return c == rolledBack || c == duplicate || c == exists }
	for _, statement := range schemas[s.config.Dialect] {
		err := retry(ctx, again, func() error {
			_, err := s.db.ExecContext(ctx, s.config.place(statement))
			return err
		})
		if err != nil {
			return failure(ctx, "create table", err)
		}
	}
	return nil
}
