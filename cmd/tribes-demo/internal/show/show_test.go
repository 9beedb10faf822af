package show

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/doctor"
)

// running is a demo whose lines the test reads.
type running struct {
	t      *testing.T
	lines  chan string // closed at the end
	end    context.CancelFunc
	status chan int
}

func run(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	outR, outW := io.Pipe()
	r := &running{t: t, lines: make(chan string, 10000), end: cancel, status: make(chan int, 1)}
	var done sync.WaitGroup
	done.Go(func() { // ends with ctx or an error
		r.status <- Run(ctx, args, outW, outW)
		outW.Close()
	})
	done.Go(func() { // ends with the output
		defer close(r.lines)
		for in := bufio.NewScanner(outR); in.Scan(); {
			r.lines <- in.Text()
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return r
}

// expect reads on until a line has all the parts.
func (r *running) expect(parts ...string) string {
	r.t.Helper()
	limit := time.NewTimer(40 * time.Second)
	defer limit.Stop()
next:
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("the demo ended before a line with %q", parts)
			}
			for _, p := range parts {
				if !strings.Contains(line, p) {
					continue next
				}
			}
			return line
		case <-limit.C:
			r.t.Fatalf("no line with %q", parts)
		}
	}
}

func freeUDPPort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
}

func TestDemoFromStartToEnd(t *testing.T) {
	r := run(t, "-mcast-port", freeUDPPort(t))
	r.expect("the group is whole")
	r.expect("A: 2, in ", "C: 2, in ")
	killed := r.expect("is killed")
	r.expect("fail,", "after the kill")
	r.expect("comes back")
	r.expect("the group is whole")
	if !strings.Contains(killed, "SIGKILL") {
		t.Errorf("line %q does not say how", killed)
	}
	r.end()
	r.expect("all members have left")
	if status := <-r.status; status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

func TestDemoEndsAfterItsTime(t *testing.T) {
	r := run(t, "-for", "3s", "-mcast-port", freeUDPPort(t))
	r.expect("all members have left")
	if status := <-r.status; status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

func TestUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"help", []string{"-h"}, 0},
		{"unknown subcommand", []string{"dance"}, 2},
		{"unknown flag", []string{"-x"}, 2},
		{"negative time", []string{"-for", "-1s"}, 2},
		{"bad port", []string{"-mcast-port", "0"}, 2},
	}
	for _, tt := range tests {
		var out, errs strings.Builder
		got := Run(t.Context(), tt.args, &out, &errs)
		if got != tt.want || tt.want == 2 && strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s: status %d, want %d; standard error %q", tt.name, got, tt.want, errs.String())
		}
	}
}

func TestMembersKnowEachOtherWithoutMulticast(t *testing.T) {
	p := placement{ports: [members]int{4000, 4001, 4002}}
	env := p.env(1, "B")
	if env["RN_STATIC"] != "127.0.0.1:4000,127.0.0.1:4001,127.0.0.1:4002" || env["RN_MCAST_PORT"] != "" || env["RN_PORT"] != "4001" {
		t.Errorf("environment %v, want a list of all members", env)
	}
}

func TestPlaceDependsOnMulticast(t *testing.T) {
	tests := []struct {
		name   string
		echo   error
		text   string // part of what is said, or of the error
		static bool
		fails  bool
	}{
		{"multicast works", nil, "find each other by multicast", false, false},
		{"multicast does not come back", os.ErrDeadlineExceeded, "no multicast on the loopback interface", true, false},
		{"no loopback interface", doctor.ErrNoInterface, "ip link set lo up", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := findPlace(t.Context(), 45999, func(context.Context, netip.AddrPort, netip.Addr) (time.Duration, error) {
				return 0, tt.echo
			})
			if (err != nil) != tt.fails {
				t.Fatalf("findPlace: %v, want an error: %v", err, tt.fails)
			}
			if err != nil {
				p.text = err.Error()
			}
			if !strings.Contains(p.text, tt.text) || (!tt.fails && (p.env(0, "A")["RN_STATIC"] != "") != tt.static) {
				t.Errorf("placement %+v, want %q, a list of members: %v", p, tt.text, tt.static)
			}
		})
	}
}

func TestLastLineOfALog(t *testing.T) {
	tests := []struct{ written, want string }{{"", ""}, {"one\n", "one"}, {"one\ntwo\n", "two"}, {"one\nhalf", "half"}}
	for _, tt := range tests {
		log := new(tail)
		if _, err := io.WriteString(log, tt.written); err != nil {
			t.Fatal(err)
		}
		if got := log.lastLine(); got != tt.want {
			t.Errorf("last line of %q = %q, want %q", tt.written, got, tt.want)
		}
	}
}

func TestStatusLineFitsANarrowTerminal(t *testing.T) {
	var b strings.Builder
	d := &demo{out: &display{w: &b}}
	for i := range d.children {
		d.children[i] = &child{name: string(rune('A' + i)), stdin: discard{}}
		d.seen[i] = counts{members: 2, rate: 500, ackRate: 250}
	}
	d.status()
	if line := strings.TrimSuffix(b.String(), "\n"); len(line) > 79 {
		t.Errorf("status line has %d characters, want at most 79: %q", len(line), line)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

func TestEchoNeedsAnInterface(t *testing.T) {
	group := netip.MustParseAddrPort("228.0.0.4:45999")
	if _, err := doctor.Echo(t.Context(), group, netip.MustParseAddr("192.0.2.77")); err == nil {
		t.Error("Echo from an address that is not here: no error")
	}
}
