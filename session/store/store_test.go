package store

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		id            string
		version, base uint64
		want          error
	}{
		{"aZ09-_", 1, 0, nil},
		{strings.Repeat("x", MaxID), 8, 7, nil},
		{"", 1, 0, ErrBadID},
		{strings.Repeat("x", MaxID+1), 1, 0, ErrBadID},
		{"../x", 1, 0, ErrBadID},
		{"a.route", 1, 0, ErrBadID},
		{"a:b", 1, 0, ErrBadID},
		{"ä", 1, 0, ErrBadID},
		{"a\x00", 1, 0, ErrBadID},
		{"a", 0, 0, ErrConflict},
		{"a", 7, 7, ErrConflict},
	} {
		s := &Session{ID: tt.id, Version: tt.version}
		if err := s.Check(tt.base); !errors.Is(err, tt.want) {
			t.Errorf("Check(%d) of id %q, version %d = %v, want %v", tt.base, tt.id, tt.version, err, tt.want)
		}
	}
}

func TestExpired(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		timeout, ago time.Duration
		want         bool
	}{
		{time.Second, 999 * time.Millisecond, false},
		{time.Second, time.Second, true},
		{0, time.Hour, false},
		{-time.Second, time.Hour, false},
		{time.Second, -time.Hour, false},
	} {
		s := &Session{Accessed: now.Add(-tt.ago), Timeout: tt.timeout}
		if got := s.Expired(now); got != tt.want {
			t.Errorf("Expired %v after an access, timeout %v: %t, want %t", tt.ago, tt.timeout, got, tt.want)
		}
	}
}
