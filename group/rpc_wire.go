package group

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/gotribes/tribes/message"
)

// A ticket is the UUID of the calls that members of ours make (docs/wire.md, RPC):
// the 16 bytes of a call of Tribes and, behind them, what one member of ours says to
// another. Java nodes take a UUID of any length, and repeat it in the reply.
type ticket struct {
	id     message.ID
	flags  byte          // of the request
	status byte          // of the reply
	left   time.Duration // how long the caller still waits, 0 if it does not say; whole milliseconds
}

const (
	ticketMagic   = "GoTR"
	ticketVersion = 1
	ticketSize    = len(message.ID{}) + len(ticketMagic) + 1 + 1 + 1 + 4
	ticketStatus  = ticketSize - 5 // offset
)

// noReplyWanted is the flag of a request whose caller does not wait.
const noReplyWanted = 1

// What a reply is. A Java node repeats the zero of the request.
const (
	statusReply      = 0 // what the handler has returned
	statusError      = 1 // the text of its error
	statusBusy       = 2 // why there is no room for the request
	statusBadRequest = 3 // what is wrong with it
)

// append writes the ticket.
func (t *ticket) append(b []byte) []byte {
	b = append(b, t.id[:]...)
	b = append(b, ticketMagic...)
	b = append(b, ticketVersion, t.flags, t.status)
	ms := min((t.left+time.Millisecond-1)/time.Millisecond, math.MaxUint32)
	return binary.BigEndian.AppendUint32(b, uint32(ms))
}

// parseTicket reads the UUID of a call. ours is false if a node of another kind has
// made it; then id is set if the UUID has the usual length.
func parseTicket(uuid []byte) (t ticket, ours bool) {
	n := copy(t.id[:], uuid)
	rest := uuid[n:]
	at := len(ticketMagic)
	if len(uuid) != ticketSize || string(rest[:at]) != ticketMagic || rest[at] != ticketVersion {
		return t, false
	}
	t.flags, t.status = rest[at+1], rest[at+2]
	t.left = time.Duration(binary.BigEndian.Uint32(rest[at+3:])) * time.Millisecond
	return t, true
}
