// Package schema is the subcommand that prints the SQL of the table in which sessions are
// kept.
package schema

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/gotribes/tribes/session/store/sqlstore"
)

const usage = `usage: tribes-demo schema -dialect postgresql|mysql|sqlite [-table NAME] [-column DEFAULT=NAME]...

Prints the SQL that makes the table of package sqlstore, unless it is there:

  tribes-demo schema -dialect postgresql | psql shop
  tribes-demo schema -dialect mysql | mariadb shop
  tribes-demo schema -dialect sqlite | sqlite3 sessions.db

Wrong usage: exit status 2.

`

// Exit statuses.
const (
	exitOK    = 0
	exitFault = 1 // the SQL could not be written
	exitUsage = 2
)

// Run carries out the subcommand and returns its exit status.
func Run(args []string, stdout, stderr io.Writer) int {
	var c sqlstore.Config
	var dialect string
	fs := flag.NewFlagSet("schema", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&dialect, "dialect", "", "`name` of the database: postgresql, mysql (also for MariaDB) or sqlite")
	fs.StringVar(&c.Table, "table", sqlstore.DefaultTable, "`name` of the table, or SCHEMA.NAME")
	fs.Func("column", "`DEFAULT=NAME`: another name for a column, such as session_id=id; may be repeated", func(s string) error {
		return rename(&c.Columns, s)
	})
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return exitOK
	case err != nil:
		return complain(stderr, err)
	case fs.NArg() > 0:
		return complain(stderr, fmt.Errorf("unexpected argument %q", fs.Arg(0)))
	case dialect == "":
		return complain(stderr, errors.New("want -dialect postgresql, mysql or sqlite"))
	}
	if c.Dialect, err = sqlstore.ParseDialect(dialect); err != nil {
		return complain(stderr, fmt.Errorf("-dialect %q: want postgresql, mysql or sqlite", dialect))
	}
	text, err := sqlstore.Schema(c)
	if err != nil {
		return complain(stderr, err)
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		complain(stderr, err)
		return exitFault
	}
	return exitOK
}

// complain writes one line.
func complain(stderr io.Writer, err error) int {
	text := strings.TrimPrefix(err.Error(), "tribes: sqlstore: ")
	fmt.Fprintln(stderr, "tribes-demo schema: "+strings.ReplaceAll(text, "\n", "; "))
	return exitUsage
}

// rename gives the column of a default name another one.
func rename(c *sqlstore.Columns, s string) error {
	was, name, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("want DEFAULT=NAME, such as session_id=id")
	}
	columns := map[string]*string{
		"session_id": &c.ID, "valid_session": &c.Valid, "max_inactive": &c.MaxIdle, "last_access": &c.LastAccess,
		"app_name": &c.App, "session_data": &c.Data, "version": &c.Version, "expires": &c.Expires,
	}
	column := columns[was]
	if column == nil {
		return fmt.Errorf("there is no column %q", was)
	}
	*column = name
	return nil
}
