package mem

import "context"

// Pause stops what runs on a host as kill -STOP does, until Resume or Crash: it sends
// nothing, takes nothing from the network, answers nothing and reports no members. Its
// kernel is there: connections to it are made, and what arrives waits until it resumes.
// What it had sent before goes on its way.
//
// Who sends on the host, or probes, waits meanwhile, and fails then if its context has
// ended; a listener that has a message keeps it, and its answer waits. Other goroutines and timers
// of the test run on. A channel on the host is stopped after Resume, not before. It panics
// if there is no such host.
func (n *Network) Pause(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.find(name); h.resumed == nil {
		h.resumed = make(chan struct{})
	}
}

// Resume ends a Pause, if there is one.
func (n *Network) Resume(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.find(name).resume()
}

// resume is called with n.mu held.
func (h *host) resume() {
	if h.resumed != nil {
		close(h.resumed)
		h.resumed = nil
	}
}

// awake waits while the node's host is paused. The error is the cause of ctx, if that has
// ended meanwhile.
func (nd *Node) awake(ctx context.Context) error {
	if nd.await() && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// await waits while the node's host is paused, and reports whether it was.
func (nd *Node) await() (waited bool) {
	for {
		nd.n.mu.Lock()
		resumed := nd.host.resumed
		nd.n.mu.Unlock()
		if resumed == nil {
			return waited
		}
		<-resumed
		waited = true
	}
}
