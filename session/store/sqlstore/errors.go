package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// Tries is how often a statement is tried in all that the database has rolled back.
const Tries = 20

// The pauses between tries.
const (
	firstPause = time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// code is what an error of a driver means.
type code int

const (
	unknown    code = iota
	rolledBack      // nothing has happened, and may the next time
	duplicate       // a key is taken
	tooLarge        // a value does not fit
	exists          // what is to be made is there
)

var sqlStates = map[string]code{
	"40001": rolledBack, // serialization failure
	"40P01": rolledBack, // deadlock
	"23505": duplicate,
	"22001": tooLarge, // longer than the column
	"54000": tooLarge, // longer than the program can handle
	"42P07": exists,
	"42710": exists,
}

var mysqlNumbers = map[uint64]code{
	1205: rolledBack, // lock wait timeout
	1213: rolledBack, // deadlock
	1020: rolledBack, // the record has changed since it was read
	3101: rolledBack, // another member of a replication group was ahead
	1062: duplicate,
	1406: tooLarge, // longer than the column
	1153: tooLarge, // longer than max_allowed_packet
	1050: exists,
}

// The codes of SQLite, some of which are extended ones.
var sqliteCodes = map[int]code{
	5:    rolledBack, // busy
	6:    rolledBack, // locked
	18:   tooLarge,
	19:   duplicate, // a constraint, of a driver that does not say which; none of our values is null
	1555: duplicate, // primary key
	2067: duplicate, // unique
	2579: duplicate, // rowid
}

// codeOf finds out what an error means. It imports no driver.
func codeOf(err error) code {
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				if c := codeOf(one); c != unknown {
					return c
				}
			}
			return unknown
		case interface{ SQLState() string }:
			return sqlStates[e.SQLState()]
		case interface{ Code() int }:
			const constraint = 19 // the others are of a table that the user has made: no other node is behind them
			c, ok := sqliteCodes[e.Code()]
			if primary := e.Code() & 0xFF; !ok && primary != constraint {
				c = sqliteCodes[primary]
			}
			return c
		}
		if n, ok := number(err); ok {
			return mysqlNumbers[n]
		}
	}
	return unknown
}

// number is the field Number of MySQL's errors.
func number(err error) (uint64, bool) {
	v := reflect.Indirect(reflect.ValueOf(err))
	if v.Kind() != reflect.Struct {
		return 0, false
	}
	f := v.FieldByName("Number")
	if !f.IsValid() || !f.CanUint() {
		return 0, false
	}
	return f.Uint(), true
}

// retry runs f again while its error is one of those, Tries times at most.
func retry(ctx context.Context, again func(code) bool, f func() error) error {
	pause := firstPause
	for try := 1; ; try++ {
		err := f()
		if err == nil || try == Tries || !again(codeOf(err)) {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause = min(2*pause, lastPause)
	}
}

// failure is the error of a method: that of ctx if it has ended, and one of package store if
// it means the same.
func failure(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case codeOf(err) == tooLarge:
		return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("tribes: sqlstore: %s: %w (%w)", what, ctx.Err(), err)
	}
	return fmt.Errorf("tribes: sqlstore: %s: %w", what, err)
}
