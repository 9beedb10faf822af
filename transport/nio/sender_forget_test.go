package nio

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

func TestForget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{QueueMessages: 2})
		f := b.member()
		c := b.provenAs(f, true)
		written := b.send(message.UseAck, "written", f)
		c.want("written")
		f.hang = true
		queued := []*sending{b.send(message.UseAck, "queued", f), b.send(0, "queued", f)}
		blocked := b.sendLater(message.UseAck, "blocked", f)
		synctest.Wait()
		b.s.Forget(f.member)
		b.s.Forget(f.member)
		b.s.Forget(testMember(t, "10.9.9.9", 1))
		written.want(message.Unknown, ErrForgotten)
		for _, s := range queued {
			s.want(message.NotSent, ErrForgotten)
		}
		(<-blocked).want(message.NotSent, ErrForgotten)
		c.wantEnd()
		if len(b.faults) > 0 {
			t.Errorf("Fault was called for %v", b.faults)
		}
		synctest.Wait()
		if b.has("down: error") || !b.has("down") {
			t.Errorf("events = %v, want the end of a link and no error", b.heard())
		}
		if n := len(b.s.Stats()); n != 0 {
			t.Errorf("Stats has %d members, want 0", n)
		}
		f.mu.Lock()
		f.hang = false
		f.mu.Unlock()
		b.proven(f)
	})
}

// heldConn is a connection whose Close waits.
type heldConn struct {
	net.Conn
	closing, release chan struct{}
	once             sync.Once
}

func (c *heldConn) Close() error {
	c.once.Do(func() { close(c.closing) })
	<-c.release
	return c.Conn.Close()
}

// TestForgetWhileLinkBreaks forgets a member whose connection has broken and is not
// cleared up yet: what was on it has its outcome all the same.
func TestForgetWhileLinkBreaks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var b *bench
		held := &heldConn{closing: make(chan struct{}), release: make(chan struct{})}
		b = newBench(t, SenderConfig{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := b.world.dial(ctx, network, address)
			held.Conn = c
			return held, err
		}})
		f := b.member()
		s := b.send(message.Sync, "a", f)
		c := f.accept()
		c.want("a")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		<-held.closing // the link has noticed
		b.s.Forget(f.member)
		close(held.release)
		s.want(message.Unknown, ErrForgotten)
	})
}
