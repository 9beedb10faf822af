package record

import (
	"errors"
	"fmt"

	"github.com/gotribes/tribes/membership"
)

// The sentinels of what is refused. The first six come inside a [*LimitError].
var (
	ErrTooManyAttributes = errors.New("too many attributes")
	ErrNameTooLong       = errors.New("name too long")
	ErrValueTooLarge     = errors.New("value too large")
	ErrSessionTooLarge   = errors.New("session too large")
	ErrIDTooLong         = errors.New("id too long")
	ErrTooManyNodes      = errors.New("too many nodes in one counter or session")

	// ErrEmpty is the error of an attribute or an id without a name.
	ErrEmpty = errors.New("tribes: session: empty name")
	// ErrNotNumber is the error of an Add to an attribute that holds bytes.
	ErrNotNumber = errors.New("tribes: session: attribute is not a number")
	// ErrEnded is the error of a write to a session that has ended.
	ErrEnded = errors.New("tribes: session: has ended")
	// ErrCounter is the error of a counter that no honest node can have reached; see
	// [MaxStep] and [MaxCounter].
	ErrCounter = errors.New("tribes: session: counter out of range")
	// ErrOtherSession is the error of a change of another session.
	ErrOtherSession = errors.New("tribes: session: change of another session")
)

// LimitError says which limit something would exceed. It wraps one of the
// sentinels.
type LimitError struct {
	Err  error
	Have int // what there would be
	Max  int // the limit
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("tribes: session: %v: %d, limit %d", e.Err, e.Have, e.Max)
}

// Unwrap returns the sentinel.
func (e *LimitError) Unwrap() error { return e.Err }

// Limits bounds a session; no limit is above 256 Mi. They hold for what a node writes itself. What other
// nodes have written at the same time must be taken whatever it adds up to, or the
// nodes would disagree for ever; a change is refused as a whole only if a name, a
// value or an id in it is above its limit or if it could take the session above
// four times Attributes or Bytes. The nodes of a group should have the same limits.
type Limits struct {
	Attributes int // attributes that exist; default 1000. Names set and removed since the last Take: as many
	Removed    int // names remembered as removed, the newest ones; default 64
	Name       int // bytes of a name; default 256
	Value      int // bytes of a value or of the principal; default 1 MiB
	Bytes      int // Size of a session; default 4 MiB
	Nodes      int // nodes with a mark, and nodes with a share in one counter; default 4096
	ID         int // bytes of an id; default 256
	IDs        int // ids that lead to the session: the current one and the newest before; default 3
}

// excess is how many times a limit writes at the same time may add up to.
const excess = 4

// most is the highest limit: four times as much is still counted in 32 bits.
const most = 1 << 28

// withDefaults returns l with defaults in place of what is not positive, and not
// above most.
func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		v   *int
		def int
	}{
		{&l.Attributes, 1000}, {&l.Removed, 64}, {&l.Name, 256}, {&l.Value, 1 << 20},
		{&l.Bytes, 4 << 20}, {&l.Nodes, 4096}, {&l.ID, 256}, {&l.IDs, 3},
	} {
		if *f.v <= 0 {
			*f.v = f.def
		}
		*f.v = min(*f.v, most)
	}
	return l
}

// Site is what the sessions of one manager on one node have in common. It never
// changes and can be used by any number of goroutines.
type Site struct {
	node   Node
	limits Limits
	events bool
}

// NewSite returns the site of a node. The ID must be of this run of the member: a
// node that forgot what it wrote must not write under the same ID again. With
// events, [Session.Merge] also tells which attributes changed. It panics if the ID
// is zero.
func NewSite(node membership.ID, limits Limits, events bool) *Site {
	if node.IsZero() {
		panic("tribes: session: a site without a node")
	}
	return &Site{node: NodeOf(node), limits: limits.withDefaults(), events: events}
}

// Node returns the node that writes.
func (s *Site) Node() Node { return s.node }

func checkLimit(err error, have, limit int) error {
	if have > limit {
		return &LimitError{Err: err, Have: have, Max: limit}
	}
	return nil
}
