package interceptor

import (
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// drops tells about messages that a layer does not pass on: the trace about
// each of them, the log about the first of each reason in logPause.
type drops struct {
	layer string // its name in the trace
	host  channel.Host

	mu      sync.Mutex
	reasons map[string]*quiet
}

// quiet is a line that is written seldom.
type quiet struct {
	last    time.Time
	skipped int
}

// message tells about one message. The reasons are few and short; err, which
// may be nil, has the details for the log.
func (d *drops) message(m *message.Message, reason string, err error) {
	d.host.Trace().MessageDropped(d.layer, m.Source, m.ID, reason)
	d.warn("a message was dropped: "+reason, m.Source, "msg", m.ID, err)
}

// warn writes a line for the log, or counts it if there was one of its kind
// just before.
func (d *drops) warn(text string, from *membership.Member, key string, value any, err error) {
	ok, skipped := d.allow(text, time.Now())
	if !ok {
		return
	}
	attrs := []any{"member", from, key, value}
	if err != nil {
		attrs = append(attrs, "err", err)
	}
	if skipped > 0 {
		attrs = append(attrs, "skipped", skipped)
	}
	d.host.Logger().Warn(text, attrs...)
}

func (d *drops) allow(reason string, now time.Time) (ok bool, skipped int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.reasons[reason]
	if q == nil {
		q = new(quiet)
		if d.reasons == nil {
			d.reasons = make(map[string]*quiet)
		}
		d.reasons[reason] = q
	}
	if !q.last.IsZero() && now.Sub(q.last) < logPause {
		q.skipped++
		return false, 0
	}
	skipped = q.skipped
	q.last, q.skipped = now, 0
	return true, skipped
}
