package filestore

import (
	"errors"
	"io"
	"os"
	"runtime"
)

// disk is what reads and changes files. Tests have one that breaks off at any step, and one
// that hangs.
type disk interface {
	// content returns what is in a file, and its size: alone if that is more than most.
	content(name string, most int64) ([]byte, int64, error)
	// look opens a file to be read.
	look(name string) (file, error)
	// list returns the names in a directory.
	list(dir string) ([]string, error)
	// create opens a file to be written, empty, and makes it if need be.
	create(name string) (file, error)
	// open opens a file to be changed.
	open(name string) (file, error)
	rename(from, to string) error
	remove(name string) error
	// syncDir returns when the names in a directory are safe.
	syncDir(dir string) error
}

type file interface {
	io.Writer
	io.WriterAt
	io.ReaderAt
	io.Closer
	Sync() error
}

// system is the disk of the machine.
type system struct{}

func (system) content(name string, most int64) ([]byte, int64, error) {
	if info, err := os.Stat(name); err == nil && info.Size() > most {
		return nil, info.Size(), nil
	}
	b, err := os.ReadFile(name)
	return b, int64(len(b)), err
}

func (system) look(name string) (file, error) { return os.Open(name) }

func (system) list(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

func (system) create(name string) (file, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (system) open(name string) (file, error) { return os.OpenFile(name, os.O_RDWR, 0) }
func (system) rename(from, to string) error   { return os.Rename(from, to) }
func (system) remove(name string) error       { return os.Remove(name) }

func (system) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such thing
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
