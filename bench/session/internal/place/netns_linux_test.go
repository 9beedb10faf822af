//go:build faults

// These need network namespaces, and so root; without it they fail.

package place

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"
)

// What goes to a node from inside is not counted, what goes between nodes is.
func TestWire(t *testing.T) {
	p, err := New(t.Context(), Config{Hosts: 2, Dir: t.TempDir(), Namespaces: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	const size = 1 << 20
	for _, test := range []struct {
		from int
		want uint64
	}{{0, 0}, {1, size}} {
		before, err := p.Wire()
		if err != nil {
			t.Fatal(err)
		}
		transfer(t, p, test.from, size)
		after, err := p.Wire()
		if err != nil {
			t.Fatal(err)
		}
		if n := after - before; n < test.want || n > test.want+size/4 {
			t.Errorf("from host %d: %d bytes counted, %d were sent", test.from, n, size)
		}
	}
}

// transfer sends zeros from a host to a listener on host 0.
func transfer(t *testing.T, p *Place, from, size int) {
	t.Helper()
	addr := net.JoinHostPort(p.Addr(0), strconv.Itoa(9000+from))
	var l net.Listener
	if err := inside(p.net.(*isolated).ns[0], func() (err error) {
		l, err = net.Listen("tcp", addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	read := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.CopyN(io.Discard, c, int64(size))
			c.Close()
		}
		read <- err
	}()
	c, err := p.net.dial(t.Context(), from, addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(<-read, c.Close()); err != nil {
		t.Error(err)
	}
}

// A host whose cable is pulled is not reached until it is in again.
func TestCable(t *testing.T) {
	p, err := New(t.Context(), Config{Hosts: 2, Dir: t.TempDir(), Namespaces: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := p.Cable(t.Context(), 0, false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if c, err := p.net.dial(ctx, 1, net.JoinHostPort(p.Addr(0), "9000")); err == nil {
		t.Errorf("%v is connected", c)
	}
	if err := p.Cable(t.Context(), 0, true); err != nil {
		t.Fatal(err)
	}
	transfer(t, p, 1, 1000)
}
