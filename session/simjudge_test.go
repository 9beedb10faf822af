package session

import (
	"slices"

	"github.com/gotribes/tribes/session/internal/record"
)

// judge says what has gone wrong. When all nodes have been together for a minute:
//   - all have the same sessions, with the same digests and ids, and are current to each
//     other;
//   - each write is there, or a later one of its attribute, and each Add is counted, unless
//     only a run that has crashed knew of it;
//   - nothing that was invalidated is there;
//   - the cookie of a client leads to its session.
func (w *world) judge(clients []*simClient) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.nodes[w.names[0]]
	want := first.copies()
	for _, name := range w.names {
		n := w.nodes[name]
		if s := n.ClusterStats(); s.Peers != len(w.names)-1 || s.Current != s.Peers || !n.Ready() {
			w.t.Errorf("%s: ready %v, %+v", name, n.Ready(), s)
		}
		have := n.copies()
		for k, h := range have {
			if n.group.Peek(h.ID()) != h {
				w.t.Errorf("%s: id of session %v leads elsewhere", name, k)
			}
			if o := want[k]; o == nil || digest(o) != digest(h) {
				w.t.Errorf("%s differs from %s in session %v", name, first.name, k)
			}
		}
		if len(have) != len(want) || n.Stats().Sessions != len(want) {
			w.t.Errorf("%s has %d of %d sessions, %d counted", name, len(have), len(want), n.Stats().Sessions)
		}
	}
	w.judgeDeeds(want)
	for _, c := range clients {
		w.judgeClient(c)
	}
}

// copies returns what a node has.
func (n *server) copies() map[record.Key]*held {
	all := make(map[record.Key]*held)
	for h := range n.b.All() {
		all[h.Rec.Key()] = h
	}
	return all
}

type attr struct {
	key  record.Key
	name string
}

func (w *world) judgeDeeds(have map[record.Key]*held) {
	over, removed := make(map[record.Key]bool), make(map[attr]record.Version)
	for _, d := range w.deeds {
		at := attr{d.key, d.name}
		switch {
		case d.what == invalidate:
			over[d.key] = true
			if have[d.key] != nil && !w.mayBeLost(d) {
				w.t.Errorf("session %v is there after its invalidation", d.key)
			}
		case d.what == remove && d.ver.Compare(removed[at]) > 0:
			removed[at] = d.ver
		}
	}
	sums, tries := make(map[attr]int64), make(map[attr]int64)
	for _, d := range w.deeds {
		if over[d.key] || d.what == invalidate {
			continue
		}
		at := attr{d.key, d.name}
		tries[at]++
		if w.mayBeLost(d) {
			continue
		}
		sums[at]++
		h := have[d.key]
		if h == nil {
			w.t.Errorf("session %v is lost, written by %v", d.key, d.run)
			continue
		}
		if d.what == add {
			continue
		}
		if v := h.Rec.Version(d.name); v.Compare(d.ver) < 0 && removed[at].Compare(d.ver) < 0 {
			w.t.Errorf("session %v: %s is %v, was %v", d.key, d.name, v, d.ver)
		}
	}
	for at, h := range w.numbers(have, sums) {
		if h < sums[at] || h > tries[at] {
			w.t.Errorf("session %v: %s is %d, want %d to %d", at.key, at.name, h, sums[at], tries[at])
		}
	}
}

// numbers returns what the numbers that were added to are.
func (w *world) numbers(have map[record.Key]*held, of map[attr]int64) map[attr]int64 {
	all := make(map[attr]int64)
	for at := range of {
		if h := have[at.key]; h != nil && at.name[0] == 'n' {
			v, _ := h.Rec.Get(at.name)
			all[at] = v.Number
		}
	}
	return all
}

// mayBeLost reports whether a crash may have taken what was done.
func (w *world) mayBeLost(d *deed) bool {
	return w.lost[d.run] || w.calm && !d.acked
}

func (w *world) judgeClient(c *simClient) {
	if c.shared() || !c.clean || c.c.cookie == "" || slices.ContainsFunc(c.runs, func(r record.Node) bool { return w.lost[r] }) {
		return
	}
	for _, name := range w.names {
		if w.nodes[name].b.Peek(c.c.id()) == nil {
			w.t.Errorf("%s: client %d has lost its session", name, c.n)
		}
	}
}
