package interceptor

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/membership"
)

// ClockSkew is what an [Encrypt] layer knows of a member whose messages were sealed
// near or beyond an end of its window: its clock is wrong, or ours is, or messages
// from it were long on their way.
type ClockSkew struct {
	Member *membership.Member
	// Skew is by how much its clock is ahead, negative if it is behind, as the last
	// such message shows it: the time on its way included.
	Skew time.Duration
	// Near counts messages beyond half of the window, Dropped those beyond all of it.
	Near, Dropped uint64
}

// skews is a bounded memory of members whose clocks differ.
type skews struct {
	mu  sync.Mutex
	all map[membership.Key]*skew
}

type skew struct {
	ClockSkew
	heard  time.Time // when there was the last message
	logged time.Time // when the log had the last line
}

// maxSkews is how many members are remembered. If there are more, the one that was
// heard of last the longest ago is forgotten.
const maxSkews = 64

// note takes a message of a member with such a clock, and tells of it once in
// hush.Pause for each member.
func (s *skews) note(from *membership.Member, d, span time.Duration, dropped bool, log *slog.Logger) {
	now := time.Now()
	s.mu.Lock()
	k := s.of(from)
	k.Skew, k.heard = d, now
	if dropped {
		k.Dropped++
	} else {
		k.Near++
	}
	tell := k.logged.IsZero() || now.Sub(k.logged) >= hush.Pause
	if tell {
		k.logged = now
	}
	told := k.ClockSkew
	s.mu.Unlock()
	if !tell {
		return
	}
	text := "the clock of a member differs, or its messages are late: soon they will be dropped"
	if dropped {
		text = "the clock of a member differs too much, or its messages are late: they are dropped"
	}
	log.Warn(text, "member", from, "skew", d, "window", span, "near", told.Near, "dropped", told.Dropped)
}

// of returns what is known of a member. It is called with mu held.
func (s *skews) of(m *membership.Member) *skew {
	key := m.Key()
	k := s.all[key]
	if k != nil {
		return k
	}
	if s.all == nil {
		s.all = make(map[membership.Key]*skew)
	}
	if len(s.all) >= maxSkews {
		var oldest *skew
		for _, o := range s.all {
			if oldest == nil || o.heard.Before(oldest.heard) {
				oldest = o
			}
		}
		delete(s.all, oldest.Member.Key())
	}
	k = &skew{ClockSkew: ClockSkew{Member: m}}
	s.all[key] = k
	return k
}

// list returns what is known, the worst first.
func (s *skews) list() []ClockSkew {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ClockSkew
	for _, k := range s.all {
		all = append(all, k.ClockSkew)
	}
	slices.SortFunc(all, func(a, b ClockSkew) int { return int(b.Skew.Abs() - a.Skew.Abs()) })
	return all
}
