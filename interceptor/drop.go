package interceptor

import (
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// drops tells about messages that a layer does not pass on: the trace about
// each of them, the log about the first of each reason in hush.Pause.
type drops struct {
	layer string // its name in the trace
	host  channel.Host

	lines hush.Hush[struct{}] // of the log
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
	ok, skipped := d.lines.Allow(text, struct{}{}, time.Now())
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
