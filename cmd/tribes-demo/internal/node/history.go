package node

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
)

// historyLength is how many events the status page shows.
const historyLength = 50

// incident is a line of the history. What repeats itself is one line.
type incident struct {
	At    time.Time // the last time
	Text  string
	Times int
}

// arrival is when a member came into the view, and its age then.
type arrival struct {
	at    time.Time
	alive time.Duration
}

// history is what the status page tells of the past. The zero value is ready.
type history struct {
	mu     sync.Mutex
	lines  []incident // oldest first
	since  map[membership.Key]arrival
	joinAt time.Time // of the local member, zero outside of the group
	sample [2]sample
}

func (h *history) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if last := len(h.lines) - 1; last >= 0 && h.lines[last].Text == text {
		h.lines[last].Times++
		h.lines[last].At = time.Now()
		return
	}
	h.lines = append(h.lines, incident{time.Now(), text, 1})
	h.lines = h.lines[max(0, len(h.lines)-historyLength):]
}

func (h *history) started(m *group.Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joinAt = time.Now()
	h.note("started as %s", m)
}

func (h *history) left() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joinAt, h.since = time.Time{}, nil
	h.note("left the group")
}

func (h *history) joined(m *group.Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since == nil {
		h.since = make(map[membership.Key]arrival)
	}
	h.since[m.Key()] = arrival{time.Now(), m.Alive()}
	h.note("%s joined", m)
}

func (h *history) gone(m *group.Member, goodbye bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.since, m.Key())
	if goodbye {
		h.note("%s said goodbye", m)
		return
	}
	h.note("%s failed", m)
}

// failed notes a send. The text has no number, so that a series is one line.
func (h *history) failed(r request, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("send of stream %q to %q failed: %s", r.stream, r.dest, clip(err.Error(), 300))
}

// recent returns the lines, newest first.
func (h *history) recent() []incident {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := slices.Clone(h.lines)
	slices.Reverse(lines)
	return lines
}

// ages are how long the member has been in the view, and how long it has been
// running: the view does not follow each heartbeat.
func (h *history) ages(m *group.Member) (seen, running time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok := h.since[m.Key()]
	if !ok {
		return 0, m.Alive()
	}
	seen = time.Since(a.at)
	return seen, max(m.Alive(), a.alive+seen)
}

// inGroupFor is how long the node has been in the group, zero if it is not.
func (h *history) inGroupFor() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.joinAt.IsZero() {
		return 0
	}
	return time.Since(h.joinAt)
}

// sample is what rates are made of.
type sample struct {
	at                      time.Time
	received, acked, failed uint64
}

// rates are per second, over the time since a sample of at least a second ago.
type rates struct {
	Over                    time.Duration
	Received, Acked, Failed float64
}

func (h *history) rates(now sample) rates {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.at.Sub(h.sample[1].at) >= time.Second {
		h.sample = [2]sample{h.sample[1], now}
	}
	old := h.sample[0]
	over := now.at.Sub(old.at)
	if old.at.IsZero() {
		return rates{}
	}
	per := func(a, b uint64) float64 { return float64(a-b) / over.Seconds() }
	return rates{over, per(now.received, old.received), per(now.acked, old.acked), per(now.failed, old.failed)}
}

// clip shortens a text that others may have made long.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return fmt.Sprintf("%s... (%d bytes)", s[:limit], len(s))
}
