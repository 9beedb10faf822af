package nio

import (
	"fmt"
	"runtime/debug"

	"github.com/gotribes/tribes/message"
)

// verdict is what became of a message: taken, or refused for a reason.
type verdict struct {
	refused bool
	reason  string
}

// deliverOnce delivers an acked message, unless the same was delivered before:
// then it returns what came of that, and waits for it if need be.
func (r *Receiver) deliverOnce(e *rxEntry, cache *dupCache, now int64) verdict {
	if r.duplicates == nil {
		return r.deliverNow(e.m)
	}
	d, known := r.duplicates.begin(cache, e, now)
	if known {
		r.count.duplicates.Add(1)
		r.env.Trace.Duplicate(e.m.Source, e.m.ID)
		return d.wait()
	}
	v := r.deliverNow(e.m)
	d.end(v)
	return v
}

// deliverNow hands m to the channel. A panic on the way is a refusal.
func (r *Receiver) deliverNow(m *message.Message) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			r.count.panics.Add(1)
			v = verdict{true, "panic while the message was delivered"}
			if n, ok := r.lines.allow("panic", noAddr, r.now()); ok {
				r.env.Logger.Error("delivery panicked", "msg", m.ID, "member", m.Source, "panic", p,
					"unlogged", n, "stack", string(debug.Stack()))
			}
		}
	}()
	if err := r.env.Deliver(r.ctx, m); err != nil {
		return verdict{true, err.Error()}
	}
	return verdict{}
}

// String is for the messages of tests.
func (v verdict) String() string {
	if v.refused {
		return fmt.Sprintf("refused: %q", v.reason)
	}
	return "taken"
}
