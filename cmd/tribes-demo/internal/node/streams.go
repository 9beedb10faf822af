package node

import "sync"

// streamStats counts what came of one stream from one member.
type streamStats struct {
	Count    uint64 `json:"count"`
	Distinct uint64 `json:"distinct"`
	Dup      uint64 `json:"dup"`
	Late     uint64 `json:"late"` // came after a higher number
	Max      uint64 `json:"max"`
}

// streams counts received messages by sender and stream. The zero value is
// ready.
type streams struct {
	mu  sync.Mutex
	all map[string]*stream
}

type stream struct {
	streamStats
	seen map[uint64]uint64 // bit sets of 64 numbers
}

// note counts message seq of a stream.
func (s *streams) note(from, name string, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := from + " " + name
	st := s.all[key]
	if st == nil {
		if s.all == nil {
			s.all = make(map[string]*stream)
		}
		st = &stream{seen: make(map[uint64]uint64)}
		s.all[key] = st
	}
	st.Count++
	word, bit := seq/64, uint64(1)<<(seq%64)
	if st.seen[word]&bit != 0 {
		st.Dup++
		return
	}
	st.seen[word] |= bit
	st.Distinct++
	if seq < st.Max {
		st.Late++
	}
	st.Max = max(st.Max, seq)
}

func (s *streams) snapshot() map[string]streamStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]streamStats, len(s.all))
	for k, st := range s.all {
		all[k] = st.streamStats
	}
	return all
}

// duplicates is how many messages came whose number had come before.
func (s *streams) duplicates() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum uint64
	for _, st := range s.all {
		sum += st.Dup
	}
	return sum
}
