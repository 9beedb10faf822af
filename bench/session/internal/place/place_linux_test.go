package place

import (
	"errors"
	"os"
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
