package replmap

import (
	"slices"

	"github.com/gotribes/tribes/internal/peers"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

// roster are the members that may have values, at one moment. A nil peer is this member.
type roster struct {
	nodes [][16]byte
	peers []*peer
	want  int // how many are to have each value
}

// current returns the members that have all entries, with this member if here is true, and
// with another one that may be about to.
func (n *native) current(here bool, also *peer) roster {
	r := roster{want: n.backups + 1}
	if here {
		r.nodes, r.peers = append(r.nodes, n.node), append(r.peers, nil)
	}
	for _, p := range n.peers.All() {
		if s, _ := p.Is(); s == peers.Current || p == also && s < peers.Silent {
			r.nodes, r.peers = append(r.nodes, p.Node), append(r.peers, p)
		}
	}
	return r
}

// roster returns the members that are to have values now.
func (n *native) roster() roster { return n.current(n.ready() && !n.leaving.Load(), nil) }

// holders returns the members that are to have the value of a key: those that weigh most
// for it. The first is its primary.
func (r *roster) holders(key string) []*peer {
	order := entry.Ranked(key, r.nodes)
	all := make([]*peer, min(r.want, len(order)))
	for i := range all {
		all[i] = r.peers[order[i]]
	}
	return all
}

// split returns the others that are to have the value of a key, and whether this member is.
func (r *roster) split(key string) (others []*peer, here bool) {
	for _, p := range r.holders(key) {
		if p == nil {
			here = true
		} else {
			others = append(others, p)
		}
	}
	return others, here
}

// holdsHere reports whether this member is to have the value of a key.
func (n *native) holdsHere(key string) bool {
	r := n.roster()
	return slices.Contains(r.holders(key), nil)
}

// holderMembers returns the members that are to have the value of a key, the primary first.
func (n *native) holderMembers(key string) (all []*membership.Member) {
	r := n.current(n.ready(), nil)
	if n.backups == 0 {
		r.want = len(r.nodes)
	}
	for _, p := range r.holders(key) {
		if p == nil {
			all = append(all, n.group.Local())
		} else {
			all = append(all, p.Member())
		}
	}
	return all
}

// moved notes that other members may be to have values from now on. It is called before
// that can be seen, so that who finds the same epoch before and after a step knows that
// nothing has moved meanwhile.
func (n *native) moved() {
	n.epoch.Add(1)
	if n.backups > 0 {
		n.att.lookAtAll()
	}
}

// outgoing returns what makes of a state that a peer gets what it is to have, and says
// whether it gets the state: the value goes to those that are to have it. A proxy of a
// state that may not be where it is to be yet goes to nobody: there, it would take the
// place of an older one whose value is safe.
func (n *native) outgoing(p *peer) func(e *entry.Entry) bool {
	if n.backups == 0 {
		return func(*entry.Entry) bool { return true }
	}
	r := n.current(n.ready() && !n.leaving.Load(), p)
	return func(e *entry.Entry) bool {
		if !e.Gone && !slices.Contains(r.holders(e.Key), p) {
			if !e.Placed {
				return false
			}
			e.Strip()
		}
		return true
	}
}
