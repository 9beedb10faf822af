package static

import (
	"sync"
	"time"
)

const (
	logPause   = 10 * time.Second // between two lines of one kind about one source
	logSources = 32               // that are told apart
)

// hush keeps the log short whatever strangers send. The zero hush is ready.
type hush struct {
	mu    sync.Mutex
	lines map[[2]string]*line
	lost  int // lines about sources for which there was no room
}

// line is one that was written, and how many were not since.
type line struct {
	at      time.Time
	skipped int
}

// allow reports whether a line of that kind about that source may be written
// now, and how many were not since the last one; for a new source, how many
// were not about others.
func (h *hush) allow(kind, source string, now time.Time) (ok bool, skipped int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := [2]string{kind, source}
	if l := h.lines[k]; l != nil {
		if now.Sub(l.at) < logPause {
			l.skipped++
			return false, 0
		}
		skipped = l.skipped
		*l = line{at: now}
		return true, skipped
	}
	if len(h.lines) >= logSources && !h.forget(now) {
		h.lost++
		return false, 0
	}
	if h.lines == nil {
		h.lines = make(map[[2]string]*line)
	}
	h.lines[k] = &line{at: now}
	skipped, h.lost = h.lost, 0
	return true, skipped
}

// forget makes room, and reports whether it could. It is called with mu held.
func (h *hush) forget(now time.Time) bool {
	for k, l := range h.lines {
		if now.Sub(l.at) >= logPause {
			delete(h.lines, k)
		}
	}
	return len(h.lines) < logSources
}

// warn writes a line for a human, unless there was one of that kind about that
// source a moment ago. It is called after the start.
func (s *Service) warn(kind, source, text string, args ...any) {
	ok, skipped := s.hush.allow(kind, source, time.Now())
	if !ok {
		return
	}
	if skipped > 0 {
		args = append(args, "skipped", skipped)
	}
	s.env.Logger.Warn(text, args...)
}
