package membership

import (
	"net/netip"
	"time"
)

// View is an immutable snapshot of the other members, oldest first. The local
// member is never in it. A *View is never nil; its Members must not be changed.
type View struct {
	Seq     uint64 // rises with each change
	Members []*Member
}

// Len returns the number of members.
func (v *View) Len() int { return len(v.Members) }

// Find returns the member with that key, nil if there is none.
func (v *View) Find(k Key) *Member {
	for _, m := range v.Members {
		if m.Key() == k {
			return m
		}
	}
	return nil
}

// At returns the members on that address. There can be more than one for a
// short while, when a process restarts.
func (v *View) At(addr netip.AddrPort) []*Member {
	var found []*Member
	for _, m := range v.Members {
		if m.AddrPort() == addr {
			found = append(found, m)
		}
	}
	return found
}

// Kind says what happened to a member.
type Kind uint8

// The kinds of events.
const (
	Joined  Kind = iota + 1 // it was not there before
	Left                    // it said goodbye
	Failed                  // it vanished
	Updated                 // it is still there; payload, domain, command or a port changed
)

var kindText = [...]string{Joined: "joined", Left: "left", Failed: "failed", Updated: "updated"}

// String returns the kind in lower case.
func (k Kind) String() string {
	if k >= Joined && k <= Updated {
		return kindText[k]
	}
	return "unknown"
}

// Event is a change of the membership. For Left, Member is as the goodbye
// describes it; for Failed, as it was last known.
type Event struct {
	Kind   Kind
	Member *Member
	At     time.Time // when it was noticed; carries a monotonic reading
}
