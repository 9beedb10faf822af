package sessionwire

import (
	"fmt"

	"github.com/gotribes/tribes/internal/wire"
)

// VersionError says that a message is of a version that is not spoken here.
type VersionError struct {
	Got  uint8 // the version of the message
	Want uint8 // the one that is spoken here
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("tribes: session: message of protocol version %d, want %d", e.Got, e.Want)
}

// KindError says that a message is of a kind that does not exist in its version.
type KindError struct{ Kind Kind }

// Error implements error.
func (e *KindError) Error() string {
	return fmt.Sprintf("tribes: session: unknown kind of message: %d", uint8(e.Kind))
}

// FormatError says which rule of the format is broken, and where.
type FormatError = wire.FormatError
