//go:build !linux

package place

import (
	"context"
	"errors"
)

// CanIsolate tells why hosts cannot have networks of their own.
func CanIsolate() error { return errors.ErrUnsupported }

func namespaces(context.Context, int) (network, error) { return nil, errors.ErrUnsupported }
