package doctor

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
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
		{"wrong flag", []string{"-x"}, exitUsage, "flag provided but not defined"},
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

func TestHelp(t *testing.T) {
	var out strings.Builder
	if status := Run(t.Context(), []string{"-h"}, &out, io.Discard); status != exitGood || !strings.Contains(out.String(), "-listen") {
		t.Errorf("exit status %d, help %q", status, out.String())
	}
}
