package nio

import (
	"errors"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/message"
)

// quiet is how long nothing more is logged about wrong answers of one kind from
// one member.
const quiet = 10 * time.Second

// violated counts a connection that is closed because of what came as an
// answer. It is called with mu held.
func (p *peer) violated(err error) { p.stats.wrong[wrongReason(err)]++ }

func wrongReason(err error) wire.Reason {
	var f *message.FormatError
	if errors.As(err, &f) && f.Reason < wire.NumReasons {
		return f.Reason
	}
	return wire.BadAck
}

// complain tells of a wrong answer, but not each time. No lock may be held.
func (p *peer) complain(err error) {
	reason := wrongReason(err)
	p.mu.Lock()
	now := p.s.now()
	last := &p.stats.complained[reason]
	loud := *last == 0 || now-*last >= int64(quiet)
	if loud {
		*last = now
	}
	total := p.stats.wrong[reason]
	p.mu.Unlock()
	p.s.env.Trace.Rejected(p.member.AddrPort(), reason.String())
	if loud {
		p.s.env.Logger.Warn("wrong answer", "member", p.member, "err", err, "total", total)
	}
}
