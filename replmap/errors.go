package replmap

import "errors"

var (
	// ErrNotReady is the error of everything that needs the entries while the map does not
	// have them yet, and of a [Map.Start] whose time was over before it had.
	ErrNotReady = errors.New("tribes: replmap: the entries of the group are not here yet")
	// ErrClosed is the error of a map after [Map.Close].
	ErrClosed = errors.New("tribes: replmap: map is closed")
	// ErrUncertain is the error of a conditional write whose primary was lost, or did not
	// answer, before it said whether it has written.
	ErrUncertain = errors.New("tribes: replmap: the primary may or may not have written")
	// ErrNoHolder is the error of what needs the value of an entry that is there, while no
	// member that can be asked has it: they are cut off, or have crashed.
	ErrNoHolder = errors.New("tribes: replmap: no member with the value answers")
	// ErrTooLarge is the error of a write whose key or value is longer than allowed.
	ErrTooLarge = errors.New("tribes: replmap: key or value too large")
)
