package mem

import "fmt"

// SetLink sets how the direction from one host to another behaves from now on.
// What is in the air already is not changed. It panics if there is no such host
// or l is not valid.
func (n *Network) SetLink(from, to string, l Link) {
	check(l)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.edge(n.find(from), n.find(to)).link = l
}

// SetLinks sets how every direction between two hosts behaves from now on, hosts
// made later included. It panics if l is not valid.
func (n *Network) SetLinks(l Link) {
	check(l)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cfg.Link = l
	for k, e := range n.edges {
		if k.from != k.to {
			e.link = l
		}
	}
}

func check(l Link) {
	if err := l.validate(); err != nil {
		panic(fmt.Errorf("tribes: mem link: %w", err))
	}
}

// Cut lets nothing through from one host to another, until Heal or Mend. The
// other direction is not changed. It panics if there is no such host.
func (n *Network) Cut(from, to string) { n.setCut(from, to, true) }

// Mend ends the effect of Cut, Partition and Isolate on one direction.
func (n *Network) Mend(from, to string) { n.setCut(from, to, false) }

func (n *Network) setCut(from, to string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.edge(n.find(from), n.find(to)).cut = cut
}

// Partition cuts both directions between each two hosts that are in different
// groups. A host in no group keeps its links to all, so that it is possible to
// have members that see each other only through a third. Cuts that were made
// before stay.
func (n *Network) Partition(groups ...[]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, group := range groups {
		for _, other := range groups[i+1:] {
			for _, a := range group {
				for _, b := range other {
					n.part(n.find(a), n.find(b))
				}
			}
		}
	}
}

// Isolate cuts both directions between a host and every other that there is.
func (n *Network) Isolate(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.find(name)
	for _, other := range n.hosts {
		if other != h {
			n.part(h, other)
		}
	}
}

// part cuts both directions. It is called with n.mu held.
func (n *Network) part(a, b *host) {
	n.edge(a, b).cut = true
	n.edge(b, a).cut = true
}

// Heal ends all cuts, partitions and isolations. It changes no Link.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.edges {
		e.cut = false
	}
}

// Crash ends what runs on a host, as kill -9 does: nobody is told goodbye, its
// connections are reset, and whatever the channel on it still does reaches
// nobody. That channel must still be stopped, for its goroutines; Node makes the
// parts of the next run.
//
// Crash must not be called inside of a callback of the membership. It panics if
// there is no such host.
func (n *Network) Crash(name string) {
	fx := n.effects()
	n.mu.Lock()
	h := n.find(name)
	h.resume()
	gone := h.nodes
	h.nodes = nil
	for _, nd := range gone {
		nd.crash(fx)
	}
	n.mu.Unlock()
	n.run(fx)
	for _, nd := range gone {
		nd.Membership.awaitCrash()
	}
}

// crash is called with n.mu held.
func (nd *Node) crash(fx *effects) {
	nd.dead = true
	if r := nd.Receiver; r.state == running || r.state == stopping {
		if nd.n.receivers[nd.Addr()] == r {
			delete(nd.n.receivers, nd.Addr())
		}
		for _, x := range r.lanes {
			x.drop(fx)
			x.hangUp(fx)
		}
	}
	if s := nd.Sender; s.state == running || s.state == stopping {
		s.drop(fx, ErrCrashed)
	}
	if s := nd.Membership; s.state == running {
		s.leave()
		s.multi.finish()
		poke(s.wake)
	}
}

// awaitCrash waits for the end of the loop, so that nobody is notified after
// the crash.
func (s *Membership) awaitCrash() {
	s.n.mu.Lock()
	started := s.state != fresh
	s.n.mu.Unlock()
	if started {
		<-s.done
	}
}
