package mcast

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
)

func (n *node) lastPort() *port {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.port
}

func (n *node) opens() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.opened
}

// steadyPair starts two members and lets their sockets become old.
func steadyPair(t *testing.T) (e *ether, a, b *node) {
	t.Helper()
	e = newEther()
	a, b = e.join(t, 1), e.join(t, 2)
	pass(2*steady + 100*time.Millisecond)
	a.wantTold("joined 10.0.0.2")
	b.wantTold("joined 10.0.0.1")
	return e, a, b
}

// A socket that fails is opened again, and the others notice nothing.
func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		name string
		fail func(n *node)
	}{
		{"read", func(n *node) { n.lastPort().failReads(syscall.ENETDOWN) }},
		{"write", func(n *node) { n.lastPort().failWrites(syscall.ENODEV) }},
		{"closed by somebody", func(n *node) { _ = n.lastPort().Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				_, a, b := steadyPair(t)
				for range 3 {
					c.fail(a)
					pass(10 * time.Second)
				}
				if got := a.opens(); got != 4 {
					t.Errorf("%d sockets opened, want 4", got)
				}
				a.wantTold()
				b.wantTold()
				if st := a.Stats(); st.Opened != 4 || !st.Open {
					t.Errorf("Opened, Open = %d, %v, want 4, true", st.Opened, st.Open)
				}
				a.stop()
				pass(roundTrip)
				b.wantTold("left 10.0.0.1")
			})
		})
	}
}

// After a recovery the others hear of us at once.
func TestRecoveryAnnounces(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e, a, _ := steadyPair(t)
		e.count()
		a.lastPort().failReads(syscall.ENETDOWN)
		pass(roundTrip)
		if got := e.count(); got != 1 {
			t.Errorf("%d datagrams after the recovery, want 1", got)
		}
	})
}

// For a minute nothing works: the members lose each other, and find each other
// soon after the end of it. No goodbye is said.
func TestLongOutage(t *testing.T) {
	noPort := func(context.Context, *port) error { return syscall.ENODEV }
	noRoute := func(_ context.Context, p *port) error { p.failWrites(syscall.ENETUNREACH); return nil }
	for _, c := range []struct {
		name  string
		wreck func(ctx context.Context, p *port) error
		fail  func(p *port)
		told  []string
		again int // log lines
	}{
		{"cannot be opened", noPort, func(p *port) { _ = p.Close() }, []string{"failed 10.0.0.2"}, 0},
		{"cannot send", noRoute, func(p *port) { p.failWrites(syscall.ENETUNREACH) }, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				_, a, b := steadyPair(t)
				a.setWreck(c.wreck)
				c.fail(a.lastPort())
				pass(time.Minute)
				b.wantTold("failed 10.0.0.1")
				a.wantTold(c.told...)
				if n := a.log.Lines("level=WARN"); n < 1 || n > 8 {
					t.Errorf("%d log lines in a minute, want a few:\n%s", n, a.log)
				}
				a.setWreck(nil)
				a.lastPort().failWrites(nil)
				pass(2*DefaultRecoveryPause + DefaultFrequency)
				b.wantTold("joined 10.0.0.1")
				if a.View().Len() != 1 {
					t.Error("the member does not see the other again")
				}
				if got := a.log.Lines("multicast sends work again"); got != c.again {
					t.Errorf("%d log lines of the recovery, want %d:\n%s", got, c.again, a.log)
				}
				if got := b.Stats().Goodbyes; got != 0 {
					t.Errorf("%d goodbyes, want none", got)
				}
			})
		})
	}
}

// A service can be stopped while it has no socket.
func TestStopDuringOutage(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		pass(time.Second)
		a.setWreck(func(context.Context, *port) error { return syscall.ENODEV })
		_ = a.lastPort().Close()
		pass(10 * time.Second)
		if st := a.Stats(); st.Open {
			t.Error("Open = true, want false")
		}
		begin := time.Now()
		a.stop()
		if took := time.Since(begin); took > 0 {
			t.Errorf("Stop took %v, want no time", took)
		}
	})
}

// An Open that succeeds when the service is being stopped leaves nothing behind.
func TestStopDuringReopen(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		pass(time.Second)
		a.setWreck(func(ctx context.Context, _ *port) error {
			<-ctx.Done() // it takes until the stop
			return nil
		})
		_ = a.lastPort().Close()
		pass(time.Second)
		a.stop()
		if n := e.openPorts(); n != 0 {
			t.Errorf("%d sockets are left open, want none", n)
		}
	})
}

// A socket that hears nothing at all is opened anew from time to time.
func TestDeafSocket(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e, a, _ := steadyPair(t)
		deaf := a.lastPort()
		e.setFilter(func(_, to *port, _ []byte) bool { return to != deaf })
		pass(longDeaf + time.Second)
		a.wantTold("failed 10.0.0.2", "joined 10.0.0.2")
		if got := a.opens(); got != 2 {
			t.Errorf("%d sockets opened, want 2", got)
		}
	})
}

func TestStartErrors(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		broken := errors.New("broken")
		noOpen, noSend := e.newNode(t, newMember(t, 1, nil), nil), e.newNode(t, newMember(t, 1, nil), nil)
		noOpen.setWreck(func(context.Context, *port) error { return broken })
		noSend.setWreck(func(_ context.Context, p *port) error { p.failWrites(broken); return nil })
		for _, n := range []*node{noOpen, noSend} {
			if err := n.Start(t.Context(), n.env()); !errors.Is(err, broken) {
				t.Errorf("Start() = %v, want %v", err, broken)
			}
			if err := n.Start(t.Context(), n.env()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Start() again = %v, want %v", err, net.ErrClosed)
			}
			n.stop()
		}
		if n := e.openPorts(); n != 0 {
			t.Errorf("%d sockets are open, want none", n)
		}
		twice := e.join(t, 2)
		if err := twice.Start(t.Context(), twice.env()); !errors.Is(err, channel.ErrStarted) {
			t.Errorf("Start() of a running service = %v, want %v", err, channel.ErrStarted)
		}
	})
}
