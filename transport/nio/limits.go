package nio

import "github.com/gotribes/tribes/channel"

var (
	_ channel.Limited = (*Sender)(nil)
	_ channel.Limited = (*Receiver)(nil)
)

// Limits implements channel.Limited. A nil Sender, as NewSender returns it beside
// an error, tells none.
func (s *Sender) Limits() channel.Limits {
	if s == nil {
		return channel.Limits{}
	}
	return channel.Limits{MaxFrame: s.cfg.MaxFrame, AckTimeout: max(s.cfg.Timeouts.Ack, 0)}
}

// Limits implements channel.Limited. A nil Receiver, as NewReceiver returns it
// beside an error, tells none.
func (r *Receiver) Limits() channel.Limits {
	if r == nil {
		return channel.Limits{}
	}
	return channel.Limits{MaxFrame: r.cfg.MaxFrame}
}
