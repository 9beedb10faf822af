// Package sqlstore keeps sessions in a table of a database: PostgreSQL, MySQL or MariaDB,
// or SQLite. It brings no driver; the program opens the database.
//
//	import _ "github.com/jackc/pgx/v5/stdlib"
//
//	db, err := sql.Open("pgx", "postgres://shop@db.example.com/shop")
//	...
//	st, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.PostgreSQL, App: "shop"})
//	...
//	err = st.CreateTable(ctx) // or the output of tribes-demo schema
//
// # What is promised
//
// Each change of a session is one statement: it takes place as a whole or not at all, and the
// version in its condition lets one of two nodes win that save at the same time. What a
// statement has confirmed is as safe as the database makes a commit. Statements that the
// database has rolled back itself, because of a deadlock or because others were ahead of it,
// are tried again, [Tries] times in all. Other errors are those of the driver; whether the
// statement took place may be unknown then. A context that ends does not wait for the
// server: MySQL and MariaDB may go on with the statement, and carry it out afterwards.
//
// Nothing is ever cut off: data over [Config].MaxData or over the size of the column, and ids
// over the size of theirs, are store.ErrTooLarge. With MySQL the first use of a store reads
// what its columns can hold, because a server that is not in strict mode would cut data off
// without an error.
//
// # The table
//
// The columns are those that many have from Tomcat's store, with two of our own:
//
//	session_id     the id; upper and lower case differ
//	valid_session  always "1"
//	max_inactive   the timeout in seconds, rounded up; 0 for ever
//	last_access    milliseconds since 1970
//	app_name       Config.App, so that several applications have one table
//	session_data   what the session is, encoded; nothing that Tomcat can read
//	version        counts the saves; above the largest signed number it is negative
//	expires        milliseconds since 1970, null for ever; the timeout to the millisecond
//	               is expires - last_access, and max_inactive is for people
//
// The primary key is app_name with session_id. A table in which it is session_id alone works
// as well, as long as two applications do not have the same id. All names can be others:
// [Config].Table and [Columns].
//
// # Drivers
//
// It is tested with github.com/jackc/pgx/v5/stdlib, github.com/go-sql-driver/mysql and
// modernc.org/sqlite. Errors are told apart by SQLSTATE (a method SQLState), by the field
// Number of MySQL's or the method Code of SQLite's; another driver whose errors have them
// will do.
//
// SQLite lets one connection write at a time. Give it a time to wait for the others, such as
// "file:sessions.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"; a database in
// memory needs SetMaxOpenConns(1).
package sqlstore
