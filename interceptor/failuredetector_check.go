package interceptor

import (
	"time"

	"github.com/gotribes/tribes/membership"
)

// Check asks for a probe of each of members, or with none of all that the
// membership below has reported, as soon as there is room (performForcedCheck in
// Tribes). It does not wait: what the probes find is told as always. One that was
// probed in the last tenth of a second is not probed again. Before the channel has
// started it does nothing.
func (d *TCPFailureDetector) Check(members ...*membership.Member) {
	if d.host == nil || d.host.Local() == nil {
		return
	}
	d.host.Serial(func() {
		d.apply(func(r *roster, now time.Time) { r.force(members, now) })
	})
}

// force asks for probes of members, or of all.
func (r *roster) force(members []*membership.Member, now time.Time) {
	if len(members) == 0 {
		for _, s := range r.subjects {
			r.request(s, now)
		}
		return
	}
	for _, m := range members {
		if s := r.subjects[m.Key()]; s != nil {
			r.request(s, now)
		}
	}
}
