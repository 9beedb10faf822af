//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"os"
)

const readsLock = false

// This system has no locks that end with their process.
func tryLock(*os.File) error { return errors.ErrUnsupported }
func unlock(*os.File) error  { return errors.ErrUnsupported }
