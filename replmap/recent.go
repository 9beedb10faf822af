package replmap

import (
	"sync"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// maxRecent is how many bytes of values a member keeps that it is not to have.
const maxRecent = 32 << 20

// recent are values that this member has written or read and is not to have: who writes an entry
// again, as the node of a session does, need not fetch it, and sends what is different. They
// count while the entry is at the version that they are of.
type recent struct {
	mu    sync.Mutex
	all   map[string]entry.Entry
	bytes int
}

// keep adds the value of a state; others go, if there are too many.
func (x *recent) keep(e entry.Entry) {
	if e.Gone || e.Proxy || e.Diff != nil || len(e.Value) > maxRecent/4 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all == nil {
		x.all = make(map[string]entry.Entry)
	}
	x.drop(e.Key)
	for key := range x.all { // in no order
		if x.bytes+cost(&e) <= maxRecent {
			break
		}
		x.drop(key)
	}
	x.all[e.Key] = e
	x.bytes += cost(&e)
}

// get returns the state that a proxy stands for.
func (x *recent) get(proxy entry.Entry) (entry.Entry, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e, there := x.all[proxy.Key]
	if !there {
		return e, false
	}
	if e.State() != proxy.State() {
		x.drop(proxy.Key)
		return e, false
	}
	e.Lifetime, e.Marks, e.Placed = proxy.Lifetime, proxy.Marks, proxy.Placed
	return e, true
}

// drop removes a value. The caller holds x.mu.
func (x *recent) drop(key string) {
	if e, there := x.all[key]; there {
		delete(x.all, key)
		x.bytes -= cost(&e)
	}
}

// cost is about what a value takes.
func cost(e *entry.Entry) int { return len(e.Key) + len(e.Value) + 200 }

// here returns the live state of a key with its value, if that is on this member, in the
// table or not.
func (n *native) here(key string) (entry.Entry, bool) {
	e, there := n.table.Get(key)
	if !there || !e.Proxy {
		return e, there
	}
	return n.recent.get(e)
}
