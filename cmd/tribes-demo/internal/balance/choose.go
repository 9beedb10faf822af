package balance

import (
	"net/http"
	"slices"
	"strings"
)

// target is the node that a request goes to, and where it was then.
type target struct{ name, addr string }

// choose finds the node for a request, one that is up and not in tried. It
// reports false if there is none.
func (p *Proxy) choose(r *http.Request, tried []target) (target, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	can := func(n *node) bool {
		return n.up && !n.Store && !slices.Contains(tried, target{n.Name, n.addr})
	}
	home := p.home(r)
	if home != nil && !p.config.RoundRobin && can(home) {
		return take(home)
	}
	if home != nil {
		if n := p.next(home.Domain, can); n != nil {
			return take(n)
		}
	}
	for _, domain := range p.rotated() {
		if n := p.next(domain, can); n != nil {
			return take(n)
		}
	}
	return target{}, false
}

func take(n *node) (target, bool) {
	n.requests++
	return target{n.Name, n.addr}, true
}

// home is the node that the session id of a request names, nil if none. The
// caller holds p.mu.
func (p *Proxy) home(r *http.Request) *node {
	for _, c := range r.CookiesNamed(p.config.Cookie) {
		_, route, _ := strings.Cut(c.Value, ".")
		if n := p.named(route); n != nil {
			return n
		}
	}
	return nil
}

// next is the node of a domain whose turn it is, nil if none can. The caller
// holds p.mu.
func (p *Proxy) next(domain string, can func(*node) bool) *node {
	var all []*node
	for _, n := range p.nodes {
		if n.Domain == domain {
			all = append(all, n)
		}
	}
	for range all {
		n := all[p.turns[domain]%len(all)]
		p.turns[domain]++
		if can(n) {
			return n
		}
	}
	return nil
}

// rotated lists the domains, another one first each time. The caller holds p.mu.
func (p *Proxy) rotated() []string {
	var all []string
	for _, n := range p.nodes {
		if !slices.Contains(all, n.Domain) {
			all = append(all, n.Domain)
		}
	}
	if len(all) == 0 {
		return nil
	}
	first := p.turn % len(all)
	p.turn++
	return append(all[first:], all[:first]...)
}
