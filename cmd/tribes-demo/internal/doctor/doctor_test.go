package doctor

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/message"
)

func freeUDPPort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
}

func examine(t *testing.T, args ...string) (report string, status int) {
	t.Helper()
	var out, errs strings.Builder
	status = Run(t.Context(), append(args, "-listen", "700ms"), &out, &errs)
	return out.String() + errs.String(), status
}

func TestHealthyMachine(t *testing.T) {
	port := freeUDPPort(t)
	s, _, err := settings.Parse("x", []string{"-port", "0", "-mcast-port", port, "-freq", "100", "-domain", "blue"},
		func(string) string { return "" }, io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := member.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer g.Stop(context.Background())
	report, status := examine(t, "-mcast-port", port, "-port", "0")
	if status != exitGood {
		t.Errorf("exit status %d, want 0", status)
	}
	for _, want := range []string{"Interfaces", "Route", "came back after", "is free", "bound and advertised",
		g.Local().AddrPort().String(), `domain "blue"`, "accepts connections", "Clocks", "a group can form"} {
		if !strings.Contains(report, want) {
			t.Errorf("report has no %q:\n%s", want, report)
		}
	}
}

func TestSickMachine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"port taken", []string{"-port", taken}, exitBad, "no free port"},
		{"address of nobody here", []string{"-bind", "192.0.2.77", "-port", "0"}, exitBad, "no interface has the address"},
		{"unreachable static member", []string{"-port", "0", "-static", "127.0.0.1:1"}, exitGood, "cannot connect"},
		{"static members of whom none is there yet", []string{"-port", "0", "-static", "127.0.0.1:1"}, exitGood, "no member runs there now"},
		{"static member by a name that nobody has", []string{"-port", "0", "-static", "nobody.invalid:4000"}, exitBad, "no member on the list can be reached"},
		{"static list with this member alone", []string{"-port", "1", "-bind", "127.0.0.1", "-static", "127.0.0.1:1"}, exitGood, "is this member itself"},
		{"loopback", []string{"-port", "0"}, exitGood, "only members on this machine"},
		{"all addresses", []string{"-port", "0", "-bind", "0.0.0.0"}, exitGood, "all addresses of this machine"},
		{"IPv6 with multicast", []string{"-port", "0", "-bind", "::1"}, exitBad, "cannot listen"},
		{"nobody else", []string{"-port", "0"}, exitGood, "if there are some elsewhere"},
		{"wrong flag", []string{"-x"}, exitUsage, "flag provided but not defined"},
		{"argument", []string{"now"}, exitUsage, "unexpected argument"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, status := examine(t, append(tt.args, "-mcast-port", freeUDPPort(t))...)
			if status != tt.status || !strings.Contains(report, tt.want) {
				t.Errorf("exit status %d, want %d; report, which should have %q:\n%s", status, tt.status, tt.want, report)
			}
		})
	}
}

// TestMemberThatHidesOrCannotBeReached hears a member of another domain whose
// advertised port nobody listens on.
func TestMemberThatHidesOrCannotBeReached(t *testing.T) {
	port := freeUDPPort(t)
	svc, err := mcast.New(mcast.Config{Address: netip.MustParseAddr("228.0.0.4"), Port: atoi(t, port), Interface: "127.0.0.1",
		Frequency: 50 * time.Millisecond, DropTime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	id := membership.NewID()
	local, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("127.0.0.1"), Port: 1,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: id, Domain: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	svc.Open(channel.Env{Local: func() *membership.Member { return local }, Pool: new(message.Pool), Logger: log,
		Trace: new(channel.Trace).WithDefaults(), Deliver: func(context.Context, *message.Message) error { return nil }})
	if err := svc.Start(t.Context(), membership.Env{Local: local, Announce: true, Listen: true, Logger: log,
		Notify: func(membership.Event) {}}); err != nil {
		t.Fatal(err)
	}
	defer svc.Stop(context.Background())
	var report string
	var status int
	for range 5 { // on a busy machine no heartbeat may come while it listens
		report, status = examine(t, "-mcast-port", port, "-port", "0", "-stack", "domain", "-domain", "red", "-id", id.String())
		if strings.Contains(report, "the domain layer hides it") {
			break
		}
	}
	if status != exitBad {
		t.Errorf("exit status %d, want 1", status)
	}
	for _, want := range []string{"the domain layer hides it", "it has the id that was given", "no member runs there now",
		"none can be connected to", "a group cannot form"} {
		if !strings.Contains(report, want) {
			t.Errorf("report has no %q:\n%s", want, report)
		}
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInterruptedExaminationIsNoGoodOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	status := Run(ctx, []string{"-port", "0", "-mcast-port", freeUDPPort(t)}, &out, io.Discard)
	if status != exitBad || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("exit status %d, want 1 and a word of why:\n%s", status, out.String())
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if status := Run(t.Context(), []string{"-h"}, &out, io.Discard); status != exitGood || !strings.Contains(out.String(), "-listen") {
		t.Errorf("exit status %d, help %q", status, out.String())
	}
}
