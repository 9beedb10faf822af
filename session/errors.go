package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

// The errors of a write that something stands in the way of.
var (
	// ErrHeaderWritten is the error of what needs a cookie in the response when its
	// header has gone already: the first write of a session, Renew and Login. Nothing
	// has changed then. Writes to a session that the client knows are not concerned.
	ErrHeaderWritten = errors.New("tribes: session: header has been written")
	// ErrNoSession is the error of a write outside of [Manager.Handler], and in a
	// request that Config.Skip leaves out.
	ErrNoSession = errors.New("tribes: session: request has no session")
	// ErrEnded is the error of a write to a session that was invalidated by another
	// request or has expired meanwhile, and of Renew and Login if another request has
	// logged in meanwhile.
	ErrEnded = record.ErrEnded
	// ErrClosed is the error of a new session after [Manager.Close], and of the calls of a
	// [Client] and a [StoreNode] that is closed.
	ErrClosed = table.ErrClosed
	// ErrEmpty is the error of an attribute without a name.
	ErrEmpty = record.ErrEmpty
)

// The errors of values.
var (
	// ErrUnsupported is the error of Set and Update with a value that cannot be
	// encoded, or that could not be decoded again.
	ErrUnsupported = errors.New("unsupported value")
	// ErrType is the error of a read of an attribute as a type that its value does
	// not fit.
	ErrType = errors.New("value is of another type")
	// ErrNotNumber is the error of [Session.Add] to an attribute that is not a number.
	ErrNotNumber = record.ErrNotNumber
)

// The limits, as errors inside a [*LimitError].
var (
	ErrTooManySessions   = table.ErrTooManySessions
	ErrTooManyAttributes = record.ErrTooManyAttributes
	ErrNameTooLong       = record.ErrNameTooLong
	ErrValueTooLarge     = record.ErrValueTooLarge
	ErrSessionTooLarge   = record.ErrSessionTooLarge
)

// LimitError says which of [Limits] something would exceed, what there would be, and
// what is allowed. It wraps one of the sentinels. Its fields are
//
//	Err  error // the sentinel
//	Have int   // what there would be
//	Max  int   // the limit
type LimitError = record.LimitError

// AttributeError says which attribute an operation failed on. Nothing else is
// affected: the session and its other attributes are as before.
type AttributeError struct {
	Op   string // "get", "set", "update", "add" or "delete"
	Name string
	Err  error
}

// Error implements error.
func (e *AttributeError) Error() string {
	cause := strings.TrimPrefix(e.Err.Error(), "tribes: session: ")
	return fmt.Sprintf("tribes: session: %s %q: %s", e.Op, shorten(e.Name), cause)
}

// Unwrap returns the cause.
func (e *AttributeError) Unwrap() error { return e.Err }

// shorten keeps a name that is refused for its length out of logs.
func shorten(name string) string {
	const most = 64
	if len(name) > most {
		return name[:most] + "..."
	}
	return name
}

// wrap names the operation and the attribute in an error.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &AttributeError{Op: op, Name: name, Err: err}
}
