package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/session/store"
)

// The errors of drivers, as they look from here.
type stateError string

func (e stateError) Error() string    { return "SQLSTATE " + string(e) }
func (e stateError) SQLState() string { return string(e) }

type numberError struct {
	Number  uint16
	Message string
}

func (e *numberError) Error() string { return fmt.Sprintf("Error %d", e.Number) }

type codeError int

func (e codeError) Error() string { return fmt.Sprintf("SQLite %d", int(e)) }
func (e codeError) Code() int     { return int(e) }

type otherNumber struct{ Number string }

func (otherNumber) Error() string { return "other" }

func TestCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want code
	}{
		{nil, unknown}, {errors.New("x"), unknown}, {context.Canceled, unknown}, {otherNumber{"1062"}, unknown},
		{stateError("40001"), rolledBack}, {stateError("40P01"), rolledBack}, {stateError("23505"), duplicate},
		{stateError("22001"), tooLarge}, {stateError("57P01"), unknown},
		{&numberError{Number: 1213}, rolledBack}, {&numberError{Number: 3101}, rolledBack}, {&numberError{Number: 1062}, duplicate}, {&numberError{Number: 1406}, tooLarge},
		{&numberError{Number: 2006}, unknown},
		{codeError(5), rolledBack}, {codeError(5 | 2<<8), rolledBack}, {codeError(2067), duplicate}, {codeError(18), tooLarge}, {codeError(11), unknown},
		{codeError(19), duplicate}, {codeError(1555), duplicate}, {codeError(2579), duplicate},
		{codeError(275), unknown}, {codeError(787), unknown}, {codeError(1299), unknown}, {codeError(1811), unknown},
		{fmt.Errorf("exec: %w", &numberError{Number: 1213}), rolledBack},
	} {
		if got := codeOf(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
}

func session(version uint64) *store.Session {
	return &store.Session{ID: "s", Data: []byte("x"), Version: version, Accessed: time.Now(), Timeout: time.Hour}
}

// repeat is an error so many times.
func repeat(err error, n int) []error {
	all := make([]error, n)
	for i := range all {
		all[i] = err
	}
	return all
}

// TestRolledBackIsTriedAgain: up to Tries times, and other errors are not.
func TestRolledBackIsTriedAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, f := faked(t, Config{Dialect: PostgreSQL})
		ctx := t.Context()
		deadlock := stateError("40P01")
		f.fail(repeat(deadlock, Tries-1)...)
		if err := s.Save(ctx, session(2), 1); err != nil || f.count() != Tries {
			t.Errorf("Save = %v after %d tries", err, f.count())
		}
		f.fail(repeat(deadlock, Tries)...)
		if err := s.Save(ctx, session(2), 1); !errors.Is(err, deadlock) || f.count() != Tries {
			t.Errorf("Save = %v after %d tries", err, f.count())
		}
		f.fail(repeat(deadlock, 2)...)
		if _, err := s.Load(ctx, "s"); !errors.Is(err, store.ErrNotFound) || f.count() != 3 {
			t.Errorf("Load = %v after %d tries", err, f.count())
		}
		f.fail(inRows{deadlock}, inRows{deadlock}) // some drivers say so with the first row
		if _, err := s.Load(ctx, "s"); !errors.Is(err, store.ErrNotFound) || f.count() != 3 {
			t.Errorf("Load = %v after %d tries", err, f.count())
		}
		broken := errors.New("connection reset")
		f.fail(broken)
		if err := s.Save(ctx, session(2), 1); !errors.Is(err, broken) || errors.Is(err, store.ErrConflict) || f.count() != 1 {
			t.Errorf("Save = %v after %d tries", err, f.count())
		}
	})
}

func TestTriesEndWithContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, f := faked(t, Config{Dialect: SQLite})
		f.fail(repeat(codeError(5), Tries)...)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		err := s.Save(ctx, session(2), 1)
		if !errors.Is(err, context.DeadlineExceeded) || f.count() >= Tries {
			t.Errorf("Save = %v after %d tries", err, f.count())
		}
	})
}

func TestErrorsOfStatements(t *testing.T) {
	s, f := faked(t, Config{Dialect: PostgreSQL})
	for _, tt := range []struct{ err, want error }{
		{stateError("23505"), store.ErrConflict},
		{stateError("22001"), store.ErrTooLarge},
	} {
		f.fail(tt.err)
		if err := s.Save(t.Context(), session(1), 0); !errors.Is(err, tt.want) {
			t.Errorf("Save with %v = %v, want %v", tt.err, err, tt.want)
		}
	}
	f.fail(errors.New("boom"))
	if err := s.Save(t.Context(), session(1), 0); err == nil || !strings.Contains(err.Error(), "tribes: sqlstore: save: boom") {
		t.Errorf("Save = %v", err)
	}
}

// TestCreateTogether: that another node makes the table at the same time is no error.
func TestCreateTogether(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, f := faked(t, Config{Dialect: PostgreSQL})
		f.fail(stateError("23505"), nil, stateError("42P07"))
		if err := s.CreateTable(t.Context()); err != nil || f.count() != 4 {
			t.Errorf("CreateTable = %v after %d statements", err, f.count())
		}
	})
}
