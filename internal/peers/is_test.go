package peers

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

// Who asks what a peer counts as does not wait for the owner to be told that this is about to
// change: the owner may hold a lock that it needs to be told. So the owner is told afterwards, too.
func TestIsDoesNotWait(t *testing.T) {
	w := &town{t: t, nodes: make(map[membership.ID]*node), deaf: make(map[*node]bool)}
	defer w.end()
	told, on := make(chan struct{}), make(chan struct{})
	var stop atomic.Bool
	var peer atomic.Pointer[neighbour]
	var last atomic.Int32 // what it counted as when the owner was last told
	n := w.node(1, func(c *Config) {
		c.Moved = func() {
			if p := peer.Load(); p != nil {
				s, _ := p.Is()
				last.Store(int32(s))
			}
			if stop.CompareAndSwap(true, false) {
				close(told)
				<-on
			}
		}
	})
	p, _, _ := n.Met(member(t, 2), Ready)
	peer.Store(p)
	stop.Store(true)
	left := make(chan struct{})
	go func() {
		p.LeaveOut("test")
		close(left)
	}()
	<-told
	is := make(chan Standing, 1)
	go func() {
		s, _ := p.Is()
		is <- s
	}()
	select {
	case s := <-is:
		if s != Current {
			t.Errorf("it counts as %v before it has changed", s)
		}
	case <-time.After(5 * time.Second):
		t.Error("nobody is told what the peer counts as")
	}
	close(on)
	<-left
	if s, _ := p.Is(); s != Silent {
		t.Errorf("it counts as %v", s)
	}
	if s := Standing(last.Load()); s != Silent {
		t.Errorf("the owner is not told after it has changed: it counted as %v", s)
	}
}
