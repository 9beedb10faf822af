package nio

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// The pauses after the system could not accept a connection.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// acceptAll accepts the connections of p until its listener is closed. Failures of the
// system, such as a lack of descriptors, concern new connections alone: it waits
// a little and tries again.
func (r *Receiver) acceptAll(p reactor) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	<-wait.C
	delay := firstPause
	for {
		s, from, err := p.accept()
		if err == nil {
			delay = firstPause
			r.admit(p, s, from)
			continue
		}
		if r.isClosing() {
			return
		}
		r.count.acceptErrors.Add(1)
		if n, ok := r.lines.allow("accept", noAddr, r.now()); ok {
			r.env.Logger.Warn("cannot accept connections", "err", err, "unlogged", n)
		}
		if errors.Is(err, net.ErrClosed) { // by somebody else: it will not work again
			return
		}
		wait.Reset(delay)
		select {
		case <-wait.C:
		case <-r.closing:
			return
		}
		delay = min(2*delay, lastPause)
	}
}

func (r *Receiver) isClosing() bool {
	select {
	case <-r.closing:
		return true
	default:
		return false
	}
}

// admit makes a connection of an accepted socket, unless there are too many.
func (r *Receiver) admit(p reactor, s rxSocket, from netip.AddrPort) {
	c := newRxConn(r, from)
	c.sock = s
	p.bind(s, c)
	reason, ok := r.enter(c)
	if reason != "" {
		r.reject(from, reason)
	}
	if !ok {
		s.close()
		return
	}
	r.count.accepted.Add(1)
	r.env.Trace.Accepted(from)
	if err := p.add(s); err != nil {
		r.reject(from, reasonPoller, "err", err)
		s.close()
		c.closed()
	}
}

// enter counts a connection in. If there is no place for it, it says why.
func (r *Receiver) enter(c *rxConn) (reason string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	source := c.from.Addr()
	switch {
	case r.state != receiverRuns:
		return "", false
	case len(r.conns) >= r.cfg.Limits.MaxConns:
		return reasonConns, false
	case source.IsValid() && r.sources[source] >= r.cfg.Limits.MaxConnsPerSource:
		return reasonPerSource, false
	}
	r.conns[c] = struct{}{}
	r.sources[source]++
	r.live.Add(1)
	return "", true
}

// forget counts a connection out that has ended.
func (r *Receiver) forget(c *rxConn) {
	r.mu.Lock()
	source := c.from.Addr()
	delete(r.conns, c)
	if r.sources[source]--; r.sources[source] == 0 {
		delete(r.sources, source)
	}
	r.mu.Unlock()
	r.live.Done()
}

// connections returns all connections that are open now.
func (r *Receiver) connections() []*rxConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*rxConn, 0, len(r.conns))
	for c := range r.conns {
		all = append(all, c)
	}
	return all
}

// optionsRefused tells that the system refused socket options of a connection,
// which works without them.
func (r *Receiver) optionsRefused(from netip.AddrPort, err error) {
	if n, ok := r.lines.allow("options", noAddr, r.now()); ok {
		r.env.Logger.Warn("socket options refused", "addr", from, "err", err, "unlogged", n)
	}
}
