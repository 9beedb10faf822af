package filestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestHangInSystemCall: a load that the system itself does not return from, as open of a pipe
// that nobody writes, ends with its ctx, and Close waits for what is left of it.
func TestHangInSystemCall(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, Config{Dir: dir})
	pipe := filepath.Join(dir, fileName("s"))
	must(t, syscall.Mkfifo(pipe, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Load(ctx, "s"); !errors.Is(err, ErrPending) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Load = %v", err)
	}
	s.patience = time.Millisecond
	if err := s.Close(); !errors.Is(err, ErrPending) {
		t.Errorf("Close = %v", err)
	}
	s.patience = time.Minute
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the load does
	must(t, err)
	must(t, w.Close())
	must(t, s.Close())
}
