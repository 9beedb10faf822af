package nio

import "github.com/gotribes/tribes/membership"

// maxStrangers is how many peers are kept of those who are no members. Layers answer
// who asks, and who is asked for can be made up: each name would leave a queue, and
// each that can be dialled a connection.
const maxStrangers = 512

// meet notes that m has joined.
func (s *Sender) meet(m *membership.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members == nil {
		s.members = make(map[membership.Key]struct{})
	}
	s.members[m.Key()] = struct{}{}
}

// dropStrangers makes room for one more in peers, which nobody else has yet: if there
// are maxStrangers, those are closed for which no message waits. The next message to
// one of them makes another. It is called with mu held.
func (s *Sender) dropStrangers(peers peerMap) {
	strangers := len(peers)
	if strangers < maxStrangers {
		return
	}
	for k := range peers {
		if _, member := s.members[k.member]; member {
			strangers--
		}
	}
	if strangers < maxStrangers {
		return
	}
	for k, p := range peers {
		if _, member := s.members[k.member]; !member && p.closeIdle(ErrForgotten) {
			delete(peers, k)
		}
	}
}
