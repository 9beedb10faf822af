package nio

import (
	"errors"
	"net/netip"

	"github.com/gotribes/tribes/message"
)

// The reasons for which a receiver turns something away, beside those of
// message.FormatError.
const (
	reasonConns      = "too many connections"
	reasonPerSource  = "too many connections from one source"
	reasonFirstFrame = "no frame in time"
	reasonPartial    = "frame too slow"
	reasonWrite      = "answers not read"
	reasonCutShort   = "ended inside a frame"
	reasonInbox      = "inbox full"
	reasonPoller     = "poller refused it"
	reasonDatagram   = "datagram is no frame"
	reasonHandshake  = "TLS handshake failed"
	reasonTLS        = "TLS broken"
)

// reject ends the connection because of what came by it.
func (c *rxConn) reject(err error) {
	reason := reasonOf(err)
	first := c.passed.parsed == 0
	begin := c.buffer.unparsed()
	like := ""
	if first {
		if like = looksLike(begin); like != "" {
			reason = "looks like " + like
		}
	}
	c.r.reject(c.from, reason, "err", err, "begin", quote(begin))
}

func reasonOf(err error) string {
	var fe *message.FormatError
	if errors.As(err, &fe) {
		return fe.Reason.String()
	}
	return err.Error()
}

// reject counts something that was turned away, and tells.
func (r *Receiver) reject(from netip.AddrPort, reason string, details ...any) {
	r.count.reject(reason)
	r.env.Trace.Rejected(from, reason)
	if n, ok := r.lines.allow(reason, from.Addr(), r.now()); ok {
		r.env.Logger.Warn("rejected", append([]any{"addr", from, "reason", reason, "unlogged", n}, details...)...)
	}
}
