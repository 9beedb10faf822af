package replica

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
)

const (
	logPause = 10 * time.Second // between two lines that say the same of one member
	logLines = 256              // that are told apart
)

// hush keeps the log short whatever members send. The zero hush is ready.
type hush struct {
	mu    sync.Mutex
	lines map[line]*written
}

// line is a text about a member.
type line struct {
	text string
	node record.Node
}

// written says when a line was written last, and how often it was not since.
type written struct {
	at      time.Time
	skipped int
}

// allow reports whether a line may be written now, and how many were not since the last
// one. Members for which there is no room share one line.
func (h *hush) allow(l line, now time.Time) (ok bool, skipped int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines[l] == nil && len(h.lines) >= logLines {
		for old, w := range h.lines {
			if now.Sub(w.at) >= logPause {
				delete(h.lines, old)
			}
		}
		if len(h.lines) >= logLines {
			l.node = record.Node{}
		}
	}
	w := h.lines[l]
	switch {
	case w == nil:
		if h.lines == nil {
			h.lines = make(map[line]*written)
		}
		h.lines[l] = &written{at: now}
		return true, 0
	case now.Sub(w.at) < logPause:
		w.skipped++
		return false, 0
	}
	skipped = w.skipped
	*w = written{at: now}
	return true, skipped
}

// tell writes a line about a member to the log, unless there was the same a moment ago.
func (e *Engine) tell(level slog.Level, text string, m *membership.Member, args ...any) {
	ok, skipped := e.hush.allow(line{text, record.NodeOf(m.ID())}, time.Now())
	if !ok {
		return
	}
	args = append([]any{"member", m}, args...)
	if skipped > 0 {
		args = append(args, "skipped", skipped)
	}
	e.cfg.Logger.Log(context.Background(), level, text, args...)
}
