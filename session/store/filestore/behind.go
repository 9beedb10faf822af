package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrPending is the error of a call whose ctx has ended while the file system was busy with
// it; it comes with the error of ctx. What the call was to do may take place later, but not
// after a newer save of the same session. Close fails with it if that is so for too long.
var ErrPending = errors.New("tribes: filestore: the file system has not finished yet")

// mostReads is how many calls read at a time that hold no lock. Those that hold one are as
// many as there are locks.
const mostReads = 64

// closeWait is how long Close waits.
const closeWait = 5 * time.Second

// take takes a place, which has room for one more, until ctx or the use of the store ends.
func take(ctx context.Context, place chan<- struct{}, done <-chan struct{}) error {
	select {
	case place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tribes: filestore: not begun, while others use the files: %w", ctx.Err())
	case <-done:
		return os.ErrClosed
	}
}

// beside runs f, and returns its error when it has ended, or ErrPending when ctx has: nothing
// ends a call of the file system, and if the disk hangs it does not return. Then f is left
// behind, and what it sets is not to be looked at. The caller has taken a place, which is free
// when f has ended.
func beside(ctx context.Context, place <-chan struct{}, f func() error) error {
	done := make(chan error, 1)
	go func() { // Close waits until its place is free
		err := f()
		<-place
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrPending, ctx.Err())
	}
}

// locked runs f beside, with the lock of a session. A lock stays with what is left behind, so
// that nothing newer comes in between its steps, or before them.
func (s *Store) locked(ctx context.Context, id string, f func() error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	l := s.locks[shardOf(id)]
	if err := take(ctx, l.held, s.done); err != nil {
		return err
	}
	return beside(ctx, l.held, func() error {
		err := l.lockFile(ctx)
		if err != nil {
			return err
		}
		if err = ctx.Err(); err == nil {
			err = f()
		}
		return errors.Join(err, l.unlockFile())
	})
}

// reading runs f beside, with no lock.
func (s *Store) reading(ctx context.Context, f func() error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := take(ctx, s.reads, s.done); err != nil {
		return err
	}
	return beside(ctx, s.reads, f)
}

// Close ends the use of the directory; calls afterwards fail with os.ErrClosed. It waits for
// calls, and for what those have left behind whose ctx has ended while the disk hung; for 5 s
// at most, then it fails with ErrPending. What is left ends by itself when the disk answers,
// and until then keeps its locks from other processes. Close can be called again to wait
// again.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.done)
		go func() {
			s.failure = s.finish()
			close(s.finished)
		}()
	})
	t := time.NewTimer(s.patience)
	defer t.Stop()
	select {
	case <-s.finished:
		return s.failure
	case <-t.C:
		return fmt.Errorf("%w after Close, and %v", ErrPending, s.patience)
	}
}

// finish waits until no place is taken, and closes the files of the locks.
func (s *Store) finish() error {
	for range mostReads {
		s.reads <- struct{}{} // it stays taken
	}
	return closeAll(s.locks)
}
