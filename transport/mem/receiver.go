package mem

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
)

// Receiver is the [channel.Receiver] of a node.
type Receiver struct {
	n       *Network
	node    *Node
	done    chan struct{}  // closed when all has ended
	running sync.WaitGroup // of the lanes

	env    channel.Env     // set by Start
	ctx    context.Context // of deliveries
	cancel context.CancelFunc

	// guarded by n.mu
	state state
	lanes []*lane
}

var _ channel.Receiver = (*Receiver)(nil)

func newReceiver(nd *Node) *Receiver {
	return &Receiver{n: nd.n, node: nd, done: make(chan struct{})}
}

// Start implements channel.Receiver. The receiver has the address of its host,
// port 4000 and the UDP port 4000. The error wraps syscall.EADDRINUSE if another
// node runs on the host.
func (r *Receiver) Start(ctx context.Context, env channel.Env) (channel.Bound, error) {
	if ctx.Err() != nil {
		return channel.Bound{}, context.Cause(ctx)
	}
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	if err := r.node.startable(r.state); err != nil {
		return channel.Bound{}, fmt.Errorf("tribes: mem: start receiver: %w", err)
	}
	addr := r.node.Addr()
	if r.n.receivers[addr] != nil {
		return channel.Bound{}, fmt.Errorf("tribes: mem: listen on %s: %w", addr, syscall.EADDRINUSE)
	}
	r.n.receivers[addr] = r
	r.env = env
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.state = running
	return channel.Bound{Host: addr.Addr(), Port: port, SecurePort: membership.NoPort, UDPPort: port}, nil
}

// Stop implements channel.Receiver.
func (r *Receiver) Stop(ctx context.Context) error {
	fx := r.n.effects()
	r.n.mu.Lock()
	before := r.state
	switch before {
	case fresh:
		r.state = ended
		close(r.done)
	case running:
		r.state = stopping
		r.close(fx)
	}
	r.n.mu.Unlock()
	r.n.run(fx)
	if before != running {
		return wait(ctx, r.done)
	}
	idle := make(chan struct{})
	go func() { // ends with the last lane; Stop waits for it
		r.running.Wait()
		close(idle)
	}()
	err := wait(ctx, idle)
	if err != nil {
		r.drop()
	}
	<-idle
	r.cancel()
	r.n.mu.Lock()
	r.state = ended
	r.n.mu.Unlock()
	close(r.done)
	return err
}

// close takes no more messages; what is there will be delivered. It is called
// with n.mu held.
func (r *Receiver) close(fx *effects) {
	if r.n.receivers[r.node.Addr()] == r { // not the next run, if this one has crashed
		delete(r.n.receivers, r.node.Addr())
	}
	for _, x := range r.lanes {
		x.closed = true
		x.finish()
		x.hangUp(fx)
	}
}

// hangUp tells the sender that its connections to this lane have ended. It is
// called with n.mu held.
func (x *lane) hangUp(fx *effects) {
	now := time.Now()
	for _, c := range slices.Clone(x.s.all) {
		if c.lane == x {
			c.hangUp(fx, now)
		}
	}
}

// drop cuts off what is still being delivered, as far as anybody can: the
// listeners' context ends.
func (r *Receiver) drop() {
	fx := r.n.effects()
	r.n.mu.Lock()
	for _, x := range r.lanes {
		x.drop(fx)
	}
	r.n.mu.Unlock()
	r.n.run(fx)
	r.cancel()
}
