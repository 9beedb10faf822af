package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// DefaultMaxData is the default of Config.MaxData: 16 MiB.
const DefaultMaxData = 16 << 20

// mostData is the most that Config.MaxData may be.
const mostData = 1 << 30

// Config says where sessions are kept.
type Config struct {
	// Dir is the directory. It is made, for the user of the process alone, if it is not
	// there; nothing else should be in it. All processes that use it run as one user.
	Dir string
	// MaxData is the most bytes of a session, at most 1 GiB; more are store.ErrTooLarge. 0 is
	// DefaultMaxData.
	MaxData int
	// NoSync leaves it to the system when to write to the disk: much faster, and enough for
	// crashes of processes, not for those of the machine.
	NoSync bool
}

// Store keeps sessions in a directory. It implements store.Store, store.Lister and
// store.Expirer. Its methods can be called from any number of goroutines.
type Store struct {
	dir      string
	maxData  int
	noSync   bool
	disk     disk
	locks    []*lock
	reads    chan struct{} // has room for those that read
	done     chan struct{} // closed by Close
	patience time.Duration // of Close

	once     sync.Once
	finished chan struct{} // closed when nothing is left behind after Close
	failure  error         // to be looked at then
}

var (
	_ store.Lister  = (*Store)(nil)
	_ store.Expirer = (*Store)(nil)
)

// Open opens a store, and removes what a crash has left behind. Close it in the end. It waits
// for the file system, however long that takes.
func Open(c Config) (*Store, error) {
	s, err := open(c, system{})
	if err != nil {
		return nil, fmt.Errorf("tribes: filestore: %w", err)
	}
	return s, nil
}

func open(c Config, d disk) (*Store, error) {
	switch {
	case c.Dir == "":
		return nil, errors.New("Config.Dir is empty")
	case c.MaxData < 0 || c.MaxData > mostData:
		return nil, fmt.Errorf("Config.MaxData is %d: want 1 to %d, or 0 for %d", c.MaxData, mostData, DefaultMaxData)
	case c.MaxData == 0:
		c.MaxData = DefaultMaxData
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	s := &Store{
		dir: c.Dir, maxData: c.MaxData, noSync: c.NoSync, disk: d, locks: newLocks(c.Dir, done), done: done,
		reads: make(chan struct{}, mostReads), finished: make(chan struct{}), patience: closeWait,
	}
	if err := s.clean(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// usable fails after Close, and with a context that has ended.
func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.done:
		return os.ErrClosed
	default:
		return ctx.Err()
	}
}

// clean removes the temporary files that nobody is writing: who does holds the lock. It
// waits for nobody, since who holds it may have been stopped.
func (s *Store) clean() error {
	for n, l := range s.locks {
		name := s.temporary(n)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		held, err := l.try()
		if err != nil {
			return err
		}
		if !held {
			continue
		}
		err = s.disk.remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err := errors.Join(err, l.release()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) path(id string) string { return filepath.Join(s.dir, fileName(id)) }

func (s *Store) temporary(shard int) string {
	return filepath.Join(s.dir, fmt.Sprintf("tmp-%02d", shard))
}

// begin is the beginning of each method: what can be refused without a look at files.
func (s *Store) begin(ctx context.Context, id string) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	return s.usable(ctx)
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, id string) (*store.Session, error) {
	if err := s.begin(ctx, id); err != nil {
		return nil, err
	}
	var v *store.Session
	read := func() (err error) {
		v, err = s.read(id)
		return err
	}
	var err error
	if readsLock {
		err = s.locked(ctx, id, read)
	} else {
		err = s.reading(ctx, read)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Store) read(id string) (*store.Session, error) {
	name := s.path(id)
	b, size, err := s.disk.content(name, headSize+mostData)
	if err != nil {
		return nil, notFound(err)
	}
	if size > headSize+mostData {
		return nil, &CorruptError{name, fmt.Sprintf("it has %d bytes", size)}
	}
	v, reason := decode(b, id)
	if reason != "" {
		return nil, &CorruptError{name, reason}
	}
	return v, nil
}

// notFound makes store.ErrNotFound of the system's.
func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return store.ErrNotFound
	}
	return err
}

// peek reads the header of a session.
func (s *Store) peek(id string) (h head, err error) {
	name := s.path(id)
	f, err := s.disk.look(name)
	if err != nil {
		return h, notFound(err)
	}
	h, err = readHead(f, name, id)
	return h, errors.Join(err, f.Close())
}

func readHead(f io.ReaderAt, name, id string) (head, error) {
	b := make([]byte, headSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, err
	}
	h, reason := decodeHead(b[:n], id)
	if reason != "" {
		return head{}, &CorruptError{name, reason}
	}
	return h, nil
}

// Save implements store.Store.
func (s *Store) Save(ctx context.Context, v *store.Session, base uint64) error {
	if err := v.Check(base); err != nil {
		return err
	}
	if len(v.Data) > s.maxData {
		return store.ErrTooLarge
	}
	id, content := v.ID, encode(v) // v is the caller's when Save has returned, whatever goes on
	return s.locked(ctx, id, func() error {
		h, err := s.peek(id) // version 0 if there is none
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if h.version != base {
			return store.ErrConflict
		}
		return s.replace(ctx, id, content)
	})
}

// replace writes the file of a session, in the place of the one that is there, unless nobody
// waits for that any more. The lock is held.
func (s *Store) replace(ctx context.Context, id string, content []byte) error {
	temporary := s.temporary(shardOf(id))
	err := s.write(temporary, content)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("%w (session was not saved)", err)
		if e := s.disk.remove(temporary); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
		return err
	}
	if err := s.disk.rename(temporary, s.path(id)); err != nil {
		return errors.Join(err, s.disk.remove(temporary))
	}
	return s.sync()
}

func (s *Store) write(name string, content []byte) error {
	f, err := s.disk.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && !s.noSync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sync makes sure of the names in the directory.
func (s *Store) sync() error {
	if s.noSync {
		return nil
	}
	return s.disk.syncDir(s.dir)
}

// Touch implements store.Store. It writes 12 bytes, and does not wait for the disk.
func (s *Store) Touch(ctx context.Context, id string, accessed time.Time) error {
	if err := s.begin(ctx, id); err != nil {
		return err
	}
	return s.locked(ctx, id, func() (err error) {
		name := s.path(id)
		f, err := s.disk.open(name)
		if err != nil {
			return notFound(err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		h, err := readHead(f, name, id)
		if err != nil || accessed.UnixMilli() <= h.last() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err = f.WriteAt(encodeTouch(accessed.UnixMilli(), id), int64(touchAt+h.free()*touchSize))
		return err
	})
}

// Delete implements store.Store. It also removes a session that is corrupt.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.begin(ctx, id); err != nil {
		return err
	}
	return s.locked(ctx, id, func() error {
		err := s.disk.remove(s.path(id))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		return s.sync()
	})
}
