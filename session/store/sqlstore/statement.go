package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/gotribes/tribes/session/store"
)

// The statements, as place takes them. In MySQL an assignment sees those before it, so
// expires comes before the access that it is computed with.
const (
	selectText = "SELECT {id}, {data}, {version}, {access}, {expires} FROM {} WHERE {app} = ? AND {id} = ?"
	insertText = "INSERT INTO {} ({id}, {valid}, {idle}, {access}, {data}, {version}, {expires}, {app}) VALUES (?, '1', ?, ?, ?, ?, ?, ?)"
	updateText = "UPDATE {} SET {id} = ?, {valid} = '1', {idle} = ?, {access} = ?, {data} = ?, {version} = ?, {expires} = ?" +
		" WHERE {app} = ? AND {id} = ? AND {version} = ?"
	touchText = "UPDATE {} SET {expires} = {expires} + (? - {access}), {access} = ?" +
		" WHERE {app} = ? AND {id} = ? AND {access} < ?"
	existsText = "SELECT 1 FROM {} WHERE {app} = ? AND {id} = ?"
	deleteText = "DELETE FROM {} WHERE {app} = ? AND {id} = ?"
	pageText   = "SELECT {id} FROM {} WHERE {app} = ? AND {id} > ? ORDER BY {id} LIMIT 500"
	// nthText finds when the 500th session has expired, so that not too many are removed at
	// once.
	nthText    = "SELECT {expires} FROM {} WHERE {app} = ? AND {expires} <= ? ORDER BY {expires} LIMIT 1 OFFSET 499"
	expireText = "DELETE FROM {} WHERE {app} = ? AND {expires} <= ?"
)

// unlessThere makes insertText no error in the logs of databases that have the words for
// it, if the session is there.
const unlessThere = " ON CONFLICT DO NOTHING"

// statement is one that is prepared when it is used first.
type statement struct {
	text string

	mu       sync.Mutex
	prepared *sql.Stmt
	closed   bool
}

var errClosed = errors.New("the store is closed")

// prepare returns the prepared statement.
func (st *statement) prepare(ctx context.Context, db *sql.DB) (*sql.Stmt, error) {
	st.mu.Lock()
	p, closed := st.prepared, st.closed
	st.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if p != nil {
		return p, nil
	}
	p, err := db.PrepareContext(ctx, st.text)
	if err != nil {
		return nil, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.closed:
		return nil, errors.Join(errClosed, p.Close())
	case st.prepared != nil: // another one was faster
		return st.prepared, p.Close()
	}
	st.prepared = p
	return p, nil
}

func (st *statement) close() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.closed = true
	if st.prepared == nil {
		return nil
	}
	err := st.prepared.Close()
	st.prepared = nil
	return err
}

// again says which statements are tried again.
func again(c code) bool { return c == rolledBack }

// exec runs a statement and returns how many rows it has changed. A key that is taken is
// store.ErrConflict.
func (s *Store) exec(ctx context.Context, what string, st *statement, args ...any) (n int64, err error) {
	err = retry(ctx, again, func() error {
		p, err := st.prepare(ctx, s.db)
		if err != nil {
			return err
		}
		r, err := p.ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	if codeOf(err) == duplicate {
		return 0, store.ErrConflict
	}
	return n, failure(ctx, what, err)
}

// query runs a statement and calls row for each row. It is not tried again after the first.
func (s *Store) query(ctx context.Context, what string, st *statement, row func(*sql.Rows) error, args ...any) error {
	seen := false
	err := retry(ctx, func(c code) bool { return again(c) && !seen }, func() error {
		p, err := st.prepare(ctx, s.db)
		if err != nil {
			return err
		}
		rows, err := p.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			seen = true
			if err := row(rows); err != nil {
				return errors.Join(err, rows.Close())
			}
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	return failure(ctx, what, err)
}
