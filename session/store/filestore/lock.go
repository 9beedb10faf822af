package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// shards is how many locks a directory has. All its processes must have the same number.
const shards = 64

// errBusy is the error of a lock that another process, or another Store, holds.
var errBusy = errors.New("locked")

// How often a lock that another process holds is tried.
const (
	firstTry = 100 * time.Microsecond
	lastTry  = 10 * time.Millisecond
)

// lock is one of the locks: a semaphore for the goroutines of a Store, and a locked file
// for other Stores.
type lock struct {
	held chan struct{} // has room for one
	done <-chan struct{}
	name string
	file *os.File // opened by the first holder; only the holder may look at it
}

func newLocks(dir string, done <-chan struct{}) []*lock {
	all := make([]*lock, shards)
	for i := range all {
		all[i] = &lock{held: make(chan struct{}, 1), done: done, name: filepath.Join(dir, fmt.Sprintf("lock-%02d", i))}
	}
	return all
}

// lockFile waits for the file until ctx or the use of the store ends. The caller is the
// holder.
func (l *lock) lockFile(ctx context.Context) error {
	if err := l.openFile(); err != nil {
		return err
	}
	for wait := firstTry; ; wait = min(2*wait, lastTry) {
		err := tryLock(l.file)
		if !errors.Is(err, errBusy) {
			return wrapPath(l.name, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-l.done:
			timer.Stop()
			return os.ErrClosed
		}
	}
}

// try acquires the lock of a Store that is new, unless another one holds it.
func (l *lock) try() (held bool, err error) {
	l.held <- struct{}{}
	if err = l.openFile(); err == nil {
		err = tryLock(l.file)
	}
	if err == nil {
		return true, nil
	}
	<-l.held
	if errors.Is(err, errBusy) {
		return false, nil
	}
	return false, wrapPath(l.name, err)
}

// openFile opens the file of a lock that was not used yet.
func (l *lock) openFile() (err error) {
	if l.file == nil {
		l.file, err = os.OpenFile(l.name, os.O_RDWR|os.O_CREATE, 0o600)
	}
	return err
}

func (l *lock) unlockFile() error { return wrapPath(l.name, unlock(l.file)) }

// release gives the lock up.
func (l *lock) release() error {
	err := l.unlockFile()
	<-l.held
	return err
}

func wrapPath(name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: "lock", Path: name, Err: err}
}

// closeAll waits for who holds a lock, and closes them.
func closeAll(all []*lock) error {
	var errs []error
	for _, l := range all {
		l.held <- struct{}{} // it stays held
		if l.file != nil {
			errs = append(errs, l.file.Close())
		}
	}
	return errors.Join(errs...)
}
