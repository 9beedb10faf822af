//go:build !nosql

package backing

import (
	"database/sql"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/gotribes/tribes/session/store/sqlstore"
)

func (s *Store) sqlite(file string) error {
	u := url.URL{Scheme: "file", Opaque: file, RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate"}
	return s.database("sqlite", u.String(), sqlstore.SQLite)
}

func (s *Store) postgres(u string) error { return s.database("pgx", u, sqlstore.PostgreSQL) }

// mysql takes the URL mysql://USER:PASSWORD@HOST:PORT/DB, or what the driver takes.
func (s *Store) mysql(u string) error {
	if strings.HasPrefix(u, "mysql://") {
		from, err := url.Parse(u)
		if err != nil {
			return err
		}
		c := mysql.NewConfig()
		c.Net, c.DBName, c.User = "tcp", strings.TrimPrefix(from.Path, "/"), from.User.Username()
		c.Passwd, _ = from.User.Password()
		c.Addr = from.Host
		if from.Port() == "" {
			c.Addr = net.JoinHostPort(from.Hostname(), "3306")
		}
		u = c.FormatDSN()
		if from.RawQuery != "" {
			u += "?" + from.RawQuery
		}
	}
	return s.database("mysql", u, sqlstore.MySQL)
}

func (s *Store) database(driver, source string, d sqlstore.Dialect) error {
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	s.close = append(s.close, db.Close)
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	db.SetConnMaxIdleTime(5 * time.Minute)
	table, err := sqlstore.New(db, sqlstore.Config{Dialect: d, App: "/demo"})
	if err != nil {
		return err
	}
	s.Store, s.close, s.prepare = table, append(s.close, table.Close), table.CreateTable
	return nil
}
