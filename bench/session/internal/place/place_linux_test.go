package place

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestProcess(t *testing.T) {
	p, err := New(t.Context(), Config{Hosts: 1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Folder("x"); err != nil {
		t.Fatal(err)
	}
	r, err := p.Start(0, "x", []string{"sh", "-c", "echo $WORD; exec cat /dev/zero >/dev/null"}, []string{"WORD=hello"})
	if err != nil {
		t.Fatal(err)
	}
	for r.CPU() == 0 { // it uses some before long
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	if err := r.Complaint("it ended"); !strings.Contains(err.Error(), "it ended: hello") {
		t.Error(err)
	}
	if _, err := p.Start(0, "x", []string{"/no/such/program"}, nil); err == nil {
		t.Error("a program that is not there started")
	}
	if _, err := p.Wire(); err == nil {
		t.Error("bytes on loopback were counted")
	}
	if err := p.Cable(t.Context(), 0, false); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestPlacesShareNoPorts(t *testing.T) {
	seen := make(map[int]bool)
	for range 2 {
		p, err := New(t.Context(), Config{Hosts: 8, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			for _, s := range []Service{HTTP, Channel, Redis} {
				if port := p.Port(i, s); seen[port] {
					t.Errorf("port %d is there twice", port)
				} else {
					seen[port] = true
				}
			}
		}
	}
}

// What goes to a node from inside is not counted, what goes between nodes is.
func TestWire(t *testing.T) {
	if err := CanIsolate(); err != nil {
		t.Skip(err)
	}
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
	made := make(chan error)
	go func() {
		made <- inside(p.net.(*isolated).keepers[0].ns, func() (err error) {
			l, err = net.Listen("tcp", addr)
			return err
		})
	}()
	if err := <-made; err != nil {
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

func TestCounterText(t *testing.T) {
	const text = `Inter-|   Receive  |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
  eth0:     101 2 3 4 5 6 7 8 109 10 11 12 13 14 15 16
`
	if in, out, err := figures(text, "eth0"); in != 101 || out != 109 || err != nil {
		t.Error(in, out, err)
	}
	for _, bad := range []string{"", "eth0: 1 2 3"} {
		if _, _, err := figures(bad, "eth0"); err == nil {
			t.Errorf("%q has figures", bad)
		}
	}
	if _, err := os.Stat("/proc/net/dev"); err == nil {
		b, err := os.ReadFile("/proc/net/dev")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := figures(string(b), "lo"); err != nil {
			t.Error(err)
		}
	}
}
