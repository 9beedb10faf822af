package membership

import "time"

const (
	graveTime = 30 * time.Second // how long a union remembers a goodbye
	maxGraves = 512              // how many it remembers
)

// graves are the goodbyes that a union has heard lately, the oldest first.
type graves []grave

// grave is the goodbye of one member.
type grave struct {
	key   Key
	at    time.Time
	alive int64  // of the member at the goodbye
	knows []bool // by service: it has lost the member too, so if it has it, it is new
}

// dig notes that service i, one of n, has heard a goodbye; again, if another
// service has heard it before.
func (gs *graves) dig(k Key, i, n int, ev Event, again bool) {
	if again {
		gs.lost(k, i)
		return
	}
	gs.fill(k, ev.At)
	g := grave{key: k, at: ev.At, alive: ev.Member.attr.Alive, knows: make([]bool, n)}
	g.knows[i] = true
	*gs = append(*gs, g)
}

// fill forgets what is too old or too much, and the grave of k.
func (gs *graves) fill(k Key, now time.Time) {
	kept := (*gs)[:0]
	for i, g := range *gs {
		if g.key != k && now.Sub(g.at) <= graveTime && len(*gs)-i < maxGraves {
			kept = append(kept, g)
		}
	}
	clear((*gs)[len(kept):])
	*gs = kept
}

// lost notes that service i has lost the member too.
func (gs graves) lost(k Key, i int) {
	if g := gs.find(k); g != nil {
		g.knows[i] = true
	}
}

// stale reports whether service i found the member only because it has not
// noticed the goodbye that another service heard. What is not stale fills the
// grave.
func (gs *graves) stale(k Key, i int, joined Event) bool {
	g := gs.find(k)
	if g == nil {
		return false
	}
	if !g.knows[i] && joined.Member.attr.Alive <= g.alive && joined.At.Sub(g.at) <= graveTime {
		return true
	}
	gs.fill(k, joined.At)
	return false
}

func (gs graves) find(k Key) *grave {
	for i := range gs {
		if gs[i].key == k {
			return &gs[i]
		}
	}
	return nil
}
