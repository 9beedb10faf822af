package session

// Listener is told what happens to the sessions of a manager. Functions that are nil
// are not called. They run in the goroutine that caused the event, after the fact and
// without a lock, so they may use the session; what several goroutines do to one session
// at the same time may be told in another order. A slow function delays its request, or
// the sweep.
type Listener struct {
	Created          func(Event) // a session has its first content
	Destroyed        func(Event) // it was invalidated or has expired; its content is gone
	IDChanged        func(Event)
	AttributeSet     func(Event) // also by Update and Add
	AttributeRemoved func(Event) // by Delete; not by the end of the session
	Activated        func(Event) // it came from the store of Config.Persist into memory
	Passivated       func(Event) // it left memory, and is in the store; it has not ended
}

// Event is what happened to a session.
type Event struct {
	ID       ID     // of the session; for IDChanged the new one
	OldID    ID     // IDChanged: the one before; it leads nowhere now unless only the route has changed
	Reason   Reason // Destroyed
	Name     string // of the attribute
	Old, New Value  // AttributeSet, AttributeRemoved: before and after
	// Remote is true if it happened on another node, see [Cluster].RemoteSessionEvents.
	Remote bool
}

// Reason says why a session was destroyed.
type Reason uint8

// The reasons.
const (
	Invalidated Reason = 1 + iota // by the application
	Expired                       // it was not used for longer than its timeout
)

// String returns a word.
func (r Reason) String() string {
	switch r {
	case Invalidated:
		return "invalidated"
	case Expired:
		return "expired"
	}
	return "unknown"
}

func tell(f func(Event), e Event) {
	if f != nil {
		f(e)
	}
}
