package interceptor

import (
	"net/netip"
	"time"

	"github.com/gotribes/tribes/membership"
)

// noteKind is something that a human may want to know about a member.
type noteKind uint8

const (
	noteConflict    noteKind = iota // another member announces the same address
	noteOwnAddress                  // it announces our address
	noteNoAddress                   // it announces an address that cannot be dialled
	noteUnreachable                 // it sends heartbeats and was never reached
	noteCutOff                      // it sends heartbeats and cannot be reached any more
	noteSilent                      // it can be reached and sends no heartbeats
	noteFlapping                    // it fails again and again
	noteStarved                     // this process itself is late
)

var noteText = [...]string{
	noteConflict:    "two members announce one address and both are heard; messages to both reach one process",
	noteOwnAddress:  "another member announces our own address; it is ignored",
	noteNoAddress:   "a member announces an address that cannot be dialled; it is ignored",
	noteUnreachable: "a member is heard but cannot be reached; it is not announced until it can",
	noteCutOff:      "a member is heard but cannot be reached any more",
	noteFlapping:    "a member fails again and again; it is not announced for a while",
	noteStarved:     "this process gets too little time; it gives others as much more before it takes them for failed",
	noteSilent:      "a member is not heard any more but can be reached; it is kept",
}

// note is a line for the log.
type note struct {
	kind   noteKind
	member *membership.Member
	addr   netip.AddrPort
	err    error
}

// note keeps a line for the log.
func (r *roster) note(kind noteKind, s *subject, err error) {
	r.todo.notes = append(r.todo.notes, note{kind, s.member, s.member.AddrPort(), err})
}

// log writes a note, or counts it if there was one of its kind just before.
func (d *TCPFailureDetector) log(n note, now time.Time) {
	if n.kind == noteConflict {
		d.counts.conflicts.Add(1)
	}
	ok, skipped := d.lines.Allow(noteText[n.kind], struct{}{}, now)
	if !ok {
		return
	}
	attrs := []any{"member", n.member, "addr", n.addr}
	if n.err != nil {
		attrs = append(attrs, "err", n.err)
	}
	if skipped > 0 {
		attrs = append(attrs, "skipped", skipped)
	}
	d.host.Logger().Warn(noteText[n.kind], attrs...)
}

// starved tells that this process was late.
func (d *TCPFailureDetector) starved(late time.Duration, now time.Time) {
	if ok, skipped := d.lines.Allow(noteText[noteStarved], struct{}{}, now); ok {
		d.host.Logger().Warn(noteText[noteStarved], "late", late, "more", d.late.lately(), "skipped", skipped)
	}
}

// notableLag is how late this process must be for a line.
const notableLag = time.Second
