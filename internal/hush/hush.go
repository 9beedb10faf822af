// Package hush keeps a log short whatever others do: a line with one text about one source is
// written once in a while, and says how many were not.
package hush

import (
	"sync"
	"time"
)

// Pause is the time between two lines with one text about one source.
const Pause = 10 * time.Second

// DefaultMax is how many lines are told apart unless it is said otherwise.
const DefaultMax = 256

// Hush says which lines may be written. S tells sources apart. The zero Hush is ready. Its
// methods can be called from any number of goroutines.
type Hush[S comparable] struct {
	Max int // lines that are told apart; 0 means DefaultMax

	mu    sync.Mutex
	lines map[line[S]]*written
}

type line[S comparable] struct {
	text  string
	about S
}

// written says when a line was written last, and how often it was not since.
type written struct {
	at      time.Time
	skipped int
}

// Allow reports whether a line may be written now, and how many of the same were not since
// the last one. The texts are few. Sources for which there is no room share one line: that of
// the zero S.
func (h *Hush[S]) Allow(text string, about S, now time.Time) (ok bool, skipped int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := line[S]{text, about}
	if h.lines[l] == nil && !h.room(now) {
		var others S
		l.about = others
	}
	w := h.lines[l]
	switch {
	case w == nil:
		if h.lines == nil {
			h.lines = make(map[line[S]]*written)
		}
		h.lines[l] = &written{at: now}
		return true, 0
	case now.Sub(w.at) < Pause:
		w.skipped++
		return false, 0
	}
	skipped = w.skipped
	*w = written{at: now}
	return true, skipped
}

// room reports whether another line can be told apart. It forgets what is old if it cannot,
// and is called with mu held.
func (h *Hush[S]) room(now time.Time) bool {
	most := h.Max
	if most == 0 {
		most = DefaultMax
	}
	if len(h.lines) < most {
		return true
	}
	for l, w := range h.lines {
		if now.Sub(w.at) >= Pause {
			delete(h.lines, l)
		}
	}
	return len(h.lines) < most
}
