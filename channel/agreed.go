package channel

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/membership"
)

// agreement is the last agreed view that reached the application, and who waits
// for the next one.
type agreement struct {
	view    atomic.Pointer[membership.Agreed]
	mu      sync.Mutex
	changed chan struct{} // closed at the next view; nil if nobody waits
}

// Agreed returns the last view that the members have agreed on, nil if there was
// none: there never is without a layer that provides agreed views
// (interceptor.NonBlockingCoordinator). See also View, which has the members as
// this one sees them.
func (c *Channel) Agreed() *membership.Agreed { return c.agreed.view.Load() }

// WaitAgreed waits until ok returns true for an agreed view, which is never nil,
// and returns it. It asks for the present one and after each change; views that
// follow each other quickly may be skipped. The error is ErrClosed or the cause
// of ctx.
func (c *Channel) WaitAgreed(ctx context.Context, ok func(*membership.Agreed) bool) (*membership.Agreed, error) {
	for {
		changed := c.agreed.next()
		if v := c.Agreed(); v != nil && ok(v) {
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-c.runCtx.Done():
			return nil, ErrClosed
		}
	}
}

// agree is the top of the flow of agreed views.
func (c *Channel) agree(v *membership.Agreed) {
	a := &c.agreed
	a.view.Store(v)
	a.mu.Lock()
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
	a.mu.Unlock()
	c.cfg.Trace.ViewAgreed(v)
}

func (a *agreement) next() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	return a.changed
}
