package replica

import (
	"log/slog"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

// Wait says what a commit waits for.
type Wait uint8

// The modes.
const (
	All     Wait = iota // every current peer has applied the change
	One                 // one has
	Written             // the change was handed to the network for every current peer
	None                // nothing
)

// peers is for how many of the peers a change is to be safe. With Written safe is what was
// handed to the network.
func (w Wait) peers() peers.Wait {
	switch w {
	case One:
		return peers.One
	case None:
		return peers.None
	default:
		return peers.All
	}
}

// Config is how an [Engine] is set up. New fills in defaults for what is zero.
type Config struct {
	Group *group.Group
	Name  string // of the manager, the same on all nodes
	Codec string // of attribute values; nodes with another one are no peers
	Route string // of this node; one that two nodes have is reported

	Limits   record.Limits
	Sessions int           // sessions at the same time; negative is no limit
	Sweep    time.Duration // the time between two sweeps

	Wait   Wait
	Budget time.Duration // how long a peer may be silent while commits wait for it; 500 ms
	Full   bool          // send whole sessions instead of changes
	Always bool          // with Full: also if nothing was written

	Touch         time.Duration // the least time between two messages that a session is in use; 10 s
	StateTimeout  time.Duration // how long a node looks for its state before it says so; 60 s
	Serve         bool          // and whether it is ready then, with what it has
	Discover      time.Duration // how long a node that sees nobody looks for others at its start; 300 ms
	Stall         time.Duration // how long a state transfer may stand still; 3 s
	Repair        time.Duration // the time between two comparisons with a peer; 30 s
	BlockSessions int           // of a block of a state transfer; 1000
	BlockBytes    int           // 256 KiB

	Attributes bool               // tell of attributes that other nodes set and remove
	Tell       func(Event)        // is told what other nodes did, without a lock
	Expire     func(*table.Entry) // ends a session that has expired, by Engine.End
	Failed     func(record.Node)  // is told of a member that has failed; may be nil
	Logger     *slog.Logger       // not nil
}

// Event is something that another node did to a session.
type Event struct {
	Kind     Kind
	ID       string
	OldID    string // Renamed
	Reason   record.Reason
	Entry    *table.Entry // Destroyed
	Name     string       // of an attribute
	Old, New record.Value
}

// Kind says what an event is about.
type Kind uint8

// The kinds.
const (
	Created Kind = iota + 1
	Destroyed
	Renamed
	AttributeSet
	AttributeRemoved
)

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Budget, 500*time.Millisecond)
	def(&c.Touch, 10*time.Second)
	def(&c.StateTimeout, time.Minute)
	def(&c.Discover, 300*time.Millisecond)
	def(&c.Stall, 3*time.Second)
	def(&c.Repair, 30*time.Second)
	if c.BlockSessions == 0 {
		c.BlockSessions = 1000
	}
	if c.BlockBytes == 0 {
		c.BlockBytes = 256 << 10
	}
	return c
}
