package nio

import (
	"errors"
	"net"
	"strings"
	"testing"
)

// TestReceiverAcceptErrors has a listener that fails for a while, as one does
// that gets no more descriptors: connections live on, and new ones come later.
func TestReceiverAcceptErrors(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &failingListener{Listener: inner, failing: make(chan int, 1)}
	g := newRx(t, ReceiverConfig{Listener: l}, nil)
	f := newFrames(t)
	c := g.dial()
	c.put(f.frame(optSync, "x"))
	c.want(ackPlainOK)
	l.failing <- 5
	g.dial() // is taken by the call that waits; the next ones fail
	late := g.dial()
	c.put(f.frame(optSync, "y"))
	c.want(ackPlainOK)
	late.put(f.frame(optSync, "z"))
	late.want(ackPlainOK)
	if n := g.r.Stats().AcceptErrors; n != 5 {
		t.Errorf("%d failures counted, want 5", n)
	}
	if log := g.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "out of descriptors") {
		t.Errorf("log %q, want one line", log)
	}
}

// failingListener fails as many times as it is told.
type failingListener struct {
	net.Listener
	failing chan int
	left    int
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.left == 0 {
		select {
		case l.left = <-l.failing:
		default:
		}
	}
	if l.left > 0 {
		l.left--
		return nil, errors.New("out of descriptors")
	}
	return l.Listener.Accept()
}
