package nio

import (
	"errors"
	"io"
	"net"
)

// closeAll closes what is not nil and joins the errors of that to err.
func closeAll(err error, all ...io.Closer) error {
	errs := []error{err}
	for _, c := range all {
		if c == nil {
			continue
		}
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
