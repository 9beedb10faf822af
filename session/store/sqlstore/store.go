package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// Store keeps sessions in a table. It implements store.Store and all its companions. Its
// methods can be called from any number of goroutines.
type Store struct {
	db     *sql.DB
	config Config
	width  atomic.Pointer[widths] // of MySQL's columns, when they are known

	sel, insert, update, touch, exists, del, page, nth, expire statement
}

var (
	_ store.Lister  = (*Store)(nil)
	_ store.Expirer = (*Store)(nil)
	_ store.Renamer = (*Store)(nil)
)

// New returns a store in a database. It does not use the database yet, and never closes it.
func New(db *sql.DB, c Config) (*Store, error) {
	err := c.complete()
	if db == nil {
		err = errors.Join(errors.New("no database"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("tribes: sqlstore: %w", err)
	}
	s := &Store{db: db, config: c}
	insert := insertText
	if c.Dialect != MySQL {
		insert += unlessThere
	}
	for text, st := range map[string]*statement{
		selectText: &s.sel, insert: &s.insert, updateText: &s.update, touchText: &s.touch, existsText: &s.exists,
		deleteText: &s.del, pageText: &s.page, nthText: &s.nth, expireText: &s.expire,
	} {
		st.text = c.place(text)
	}
	return s, nil
}

// Close closes the statements that were prepared, not the database. Other methods fail
// afterwards.
func (s *Store) Close() error {
	var errs []error
	for _, st := range s.statements() {
		errs = append(errs, st.close())
	}
	return errors.Join(errs...)
}

func (s *Store) statements() []*statement {
	return []*statement{&s.sel, &s.insert, &s.update, &s.touch, &s.exists, &s.del, &s.page, &s.nth, &s.expire}
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, id string) (*store.Session, error) {
	if err := store.CheckID(id); err != nil {
		return nil, err
	}
	var found *store.Session
	err := s.query(ctx, "load", &s.sel, func(r *sql.Rows) error {
		var v store.Session
		var version, access int64
		var expires sql.NullInt64
		if err := r.Scan(&v.ID, &v.Data, &version, &access, &expires); err != nil {
			return err
		}
		if v.ID != id {
			return nil // a table whose ids have no upper and lower case
		}
		v.Version, v.Accessed = uint64(version), time.UnixMilli(access)
		if expires.Valid {
			const most = math.MaxInt64 / int64(time.Millisecond)
			v.Timeout = time.Duration(min(max(1, expires.Int64-access), most)) * time.Millisecond
		}
		found = &v
		return nil
	}, s.config.App, id)
	if err == nil && found == nil {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// row returns the values of a session's row, in the order of the statements.
func row(v *store.Session) []any {
	access := v.Accessed.UnixMilli()
	var idle int64
	var expires any // null
	if ms := v.Timeout.Milliseconds(); ms > 0 {
		idle = min((ms+999)/1000, math.MaxInt32)
		expires = access + ms
	}
	data := v.Data
	if data == nil {
		data = []byte{} // nil would be null
	}
	return []any{idle, access, data, int64(v.Version), expires}
}

// Save implements store.Store.
func (s *Store) Save(ctx context.Context, v *store.Session, base uint64) error {
	if err := v.Check(base); err != nil {
		return err
	}
	if base == 0 {
		return s.change(ctx, "save", &s.insert, v, s.config.App)
	}
	return s.change(ctx, "save", &s.update, v, s.config.App, v.ID, int64(base))
}

// Rename implements store.Renamer.
func (s *Store) Rename(ctx context.Context, old string, v *store.Session, base uint64) error {
	if err := store.CheckID(old); err != nil {
		return err
	}
	if err := v.Check(base); err != nil {
		return err
	}
	if old == v.ID || base == 0 {
		return store.ErrConflict
	}
	return s.change(ctx, "rename", &s.update, v, s.config.App, old, int64(base))
}

// change inserts or updates the row of v, or fails with store.ErrConflict.
func (s *Store) change(ctx context.Context, what string, st *statement, v *store.Session, where ...any) error {
	if err := s.fits(ctx, v); err != nil {
		return err
	}
	args := append(append([]any{v.ID}, row(v)...), where...)
	n, err := s.exec(ctx, what, st, args...)
	if err == nil && n == 0 {
		err = store.ErrConflict
	}
	return err
}

// Touch implements store.Store.
func (s *Store) Touch(ctx context.Context, id string, accessed time.Time) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	ms := accessed.UnixMilli()
	n, err := s.exec(ctx, "touch", &s.touch, ms, ms, s.config.App, id, ms)
	if err != nil || n > 0 {
		return err
	}
	there := false
	err = s.query(ctx, "touch", &s.exists, func(*sql.Rows) error {
		there = true
		return nil
	}, s.config.App, id)
	if err == nil && !there {
		err = store.ErrNotFound
	}
	return err
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	_, err := s.exec(ctx, "delete", &s.del, s.config.App, id)
	return err
}

// IDs implements store.Lister. It asks for 500 at a time, and holds no connection in
// between.
func (s *Store) IDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for last := ""; ; {
			var ids []string
			err := s.query(ctx, "list", &s.page, func(r *sql.Rows) error {
				var id string
				err := r.Scan(&id)
				ids = append(ids, id)
				return err
			}, s.config.App, last)
			if err != nil {
				yield("", err)
				return
			}
			if len(ids) == 0 {
				return
			}
			for _, id := range ids {
				if !yield(id, nil) {
					return
				}
			}
			last = ids[len(ids)-1]
		}
	}
}

// Expire implements store.Expirer. It removes about 500 sessions with each statement; with
// an error, n is how many are gone.
func (s *Store) Expire(ctx context.Context, now time.Time) (n int, err error) {
	for more := true; more; {
		until := now.UnixMilli()
		more = false
		err := s.query(ctx, "expire", &s.nth, func(r *sql.Rows) error {
			more = true
			return r.Scan(&until)
		}, s.config.App, now.UnixMilli())
		if err != nil {
			return n, err
		}
		removed, err := s.exec(ctx, "expire", &s.expire, s.config.App, until)
		n += int(removed)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
