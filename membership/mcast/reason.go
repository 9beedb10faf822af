package mcast

import (
	"errors"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
)

// reason says why a datagram, or a frame in one, was not taken. The set is
// closed, so that each has a counter.
type reason uint8

const (
	emptyDatagram   reason = iota // no bytes
	cutDatagram                   // longer than any datagram can be
	strangeDatagram               // neither a member nor a message
	notDialable                   // a member that cannot be reached where it says
	tableFull                     // as many members as are taken
	sourceFull                    // too many members from one source address
	straggler                     // a heartbeat from before the goodbye
	ownAddress                    // another id on our address
	ownID                         // our id on another address
	forgedSelf                    // says to be from us, but we never sent it
	takenID                       // id of another live member
	messagesOff                   // a message, and messages are not asked for
	notMember                     // a message from somebody who is no member
	repeatedMessage               // a datagram that the network doubled
	queueFull                     // a message that found no room in the queue
	notDelivered                  // a message that waited when the service stopped
	badImage                      // first of the reasons of damaged members
	badFrame        = badImage + reason(wire.NumReasons)
	numReasons      = badFrame + reason(wire.NumReasons)
)

var reasonText = [numReasons]string{
	emptyDatagram:   "empty",
	cutDatagram:     "cut",
	strangeDatagram: "neither member nor message",
	notDialable:     "address cannot be dialled",
	tableFull:       "too many members",
	sourceFull:      "too many members from one source",
	straggler:       "heartbeat from before the goodbye",
	ownAddress:      "other id on our address",
	ownID:           "our id on another address",
	forgedSelf:      "forged in our name",
	takenID:         "id of another member",
	messagesOff:     "message not asked for",
	notMember:       "message from a stranger",
	repeatedMessage: "message repeated",
	queueFull:       "queue full",
	notDelivered:    "stopped before delivery",
}

// formatText has the texts of damaged members and messages, made once: they are
// metric labels of a path that an attacker can make hot.
var formatText = func() (text [2 * wire.NumReasons]string) {
	for r := range wire.NumReasons {
		text[r] = "member: " + r.String()
		text[wire.NumReasons+r] = "message: " + r.String()
	}
	return text
}()

// String returns a short lower-case phrase, usable as a metric label.
func (r reason) String() string {
	if r >= badImage {
		return formatText[r-badImage]
	}
	return reasonText[r]
}

// imageReason is the reason behind an error of membership.Decode, frameReason
// that behind one of package message.
func imageReason(err error) reason { return badImage + formatReason(err) }
func frameReason(err error) reason { return badFrame + formatReason(err) }

func formatReason(err error) reason {
	var fe *membership.FormatError
	if errors.As(err, &fe) {
		return reason(fe.Reason)
	}
	return 0
}

// suspicious reports whether a person may want to know: honest networks produce
// the others all the time.
func (r reason) suspicious() bool {
	return r != straggler && r != messagesOff && r != notMember && r != repeatedMessage
}
