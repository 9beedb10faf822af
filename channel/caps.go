package channel

import (
	"sync"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// maxKnown is how many members that have told of extensions are remembered. One
// that is forgotten tells again on its next connection.
const maxKnown = 4096

// knownCaps is what members have told of themselves in their answers.
type knownCaps struct {
	mu  sync.RWMutex
	all map[membership.Key]message.Caps
}

// learn notes what m has told.
func (k *knownCaps) learn(m *membership.Member, c message.Caps) {
	key := m.Key()
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.all[key]; !known {
		k.makeRoom()
	}
	if c == 0 {
		delete(k.all, key)
		return
	}
	if k.all == nil {
		k.all = make(map[membership.Key]message.Caps)
	}
	k.all[key] = c
}

// makeRoom forgets somebody if there are too many. It is called with mu held.
func (k *knownCaps) makeRoom() {
	if len(k.all) < maxKnown {
		return
	}
	for key := range k.all {
		delete(k.all, key)
		return
	}
}

// of is what m has told, nothing if it has not.
func (k *knownCaps) of(m *membership.Member) message.Caps {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.all[m.Key()]
}
