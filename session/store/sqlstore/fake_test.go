package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"testing"
)

// fake is a driver whose statements end with errors that a test gives it, and then
// succeed: each changes one row, and finds none.
type fake struct {
	mu    sync.Mutex
	errs  []error // of the next statements
	texts []string
}

func (f *fake) Connect(context.Context) (driver.Conn, error) { return &fakeConn{f}, nil }
func (f *fake) Driver() driver.Driver                        { return nil }

// next is the result of the next statement.
func (f *fake) next(text string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts = append(f.texts, text)
	if len(f.errs) == 0 {
		return nil
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return err
}

// fail sets the errors of the next statements, and forgets those that there were.
func (f *fake) fail(errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs, f.texts = errs, nil
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.texts)
}

type fakeConn struct{ f *fake }

func (c *fakeConn) Prepare(text string) (driver.Stmt, error) { return &fakeStmt{c.f, text}, nil }
func (c *fakeConn) Close() error                             { return nil }
func (c *fakeConn) Begin() (driver.Tx, error)                { return nil, errors.New("no transactions") }

type fakeStmt struct {
	f    *fake
	text string
}

func (s *fakeStmt) Close() error  { return nil }
func (s *fakeStmt) NumInput() int { return -1 }

func (s *fakeStmt) Exec([]driver.Value) (driver.Result, error) {
	return driver.RowsAffected(1), s.f.next(s.text)
}

func (s *fakeStmt) Query([]driver.Value) (driver.Rows, error) {
	err := s.f.next(s.text)
	if in, ok := err.(inRows); ok {
		return noRows{in.error}, nil
	}
	return noRows{io.EOF}, err
}

// inRows is an error that comes not before the first row is asked for.
type inRows struct{ error }

type noRows struct{ end error }

func (noRows) Columns() []string           { return []string{"x"} }
func (noRows) Close() error                { return nil }
func (r noRows) Next([]driver.Value) error { return r.end }

// faked returns a store over a fake.
func faked(t *testing.T, c Config) (*Store, *fake) {
	t.Helper()
	f := new(fake)
	db := sql.OpenDB(f)
	s, err := New(db, c)
	must(t, err)
	t.Cleanup(func() {
		must(t, s.Close())
		must(t, db.Close())
	})
	return s, f
}
