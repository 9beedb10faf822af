package nio

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

func TestReceiverConfigProblems(t *testing.T) {
	_, err := NewReceiver(ReceiverConfig{
		Port:       65536,
		UDPPort:    -2,
		PortTries:  -1,
		Loops:      65,
		Workers:    -1,
		MaxFrame:   100,
		InboxBytes: 1,
		Poller:     9,
		Address:    "a\nb",
		Advertise:  "0.0.0.0",
		Limits:     ReceiverLimits{MaxBytes: 50},
		Duplicates: DuplicateMemory{Bytes: 5},
		Socket:     SocketOptions{TrafficClass: 256},
	})
	if err == nil {
		t.Fatal("NewReceiver took everything that is wrong")
	}
	for _, field := range []string{"Port", "UDPPort", "PortTries", "Loops", "Workers", "MaxFrame", "InboxBytes",
		"Limits.MaxBytes", "Poller", "Address", "Advertise", "Duplicates.Bytes", "Socket.TrafficClass"} {
		if !strings.Contains(err.Error(), " "+field+" ") {
			t.Errorf("the error does not name %s:\n%v", field, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 13 {
		t.Errorf("%d lines, want 13:\n%v", n, err)
	}
}

func TestReceiverConfigPoller(t *testing.T) {
	l := newPipeListener()
	if _, err := NewReceiver(ReceiverConfig{Listener: l, Poller: PollerEpoll}); err == nil || !strings.Contains(err.Error(), "*nio.pipeListener") {
		t.Errorf("NewReceiver with epoll and a pipe: %v, want an error that names the listener", err)
	}
	for _, p := range []Poller{PollerAuto, PollerRuntime, PollerEpoll} {
		if got, err := ParsePoller(p.String()); err != nil || got != p {
			t.Errorf("ParsePoller(%q) = %v, %v, want %v", p, got, err, p)
		}
	}
	if got, err := ParsePoller("kqueue"); err == nil {
		t.Errorf("ParsePoller(kqueue) = %v, want an error", got)
	}
	if got, want := Poller(9).String(), "poller 9"; got != want {
		t.Errorf("Poller(9) = %q, want %q", got, want)
	}
}

// The poller is the one that was chosen.
func TestReceiverPoller(t *testing.T) {
	for p, want := range map[Poller]string{PollerAuto: "*nio.netReactor", PollerRuntime: "*nio.netReactor", PollerEpoll: "*nio.epollReactor"} {
		if p == PollerEpoll && len(rxPollers()) == 1 {
			continue // there is none here
		}
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		if got := fmt.Sprintf("%T", g.r.reactor); got != want {
			t.Errorf("poller %s is a %s, want a %s", p, got, want)
		}
	}
}

func TestReceiverDefaults(t *testing.T) {
	var cfg ReceiverConfig
	r, err := NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := r.cfg
	if got.Address != "auto" || got.Port != 4000 || got.PortTries != 100 || got.UDPPort != 0 || got.MaxFrame != 64<<20 ||
		got.Limits.MaxBytes != 256<<20 || got.Limits.FirstFrameTimeout != 10*time.Second || got.Duplicates.Window != time.Minute {
		t.Errorf("defaults are %+v", got)
	}
	if cfg.Address != "" {
		t.Error("the struct of the caller was changed")
	}
	large, err := NewReceiver(ReceiverConfig{MaxFrame: 128 << 20})
	if err != nil || large.cfg.Limits.MaxBytes != 512<<20 {
		t.Errorf("MaxBytes for frames of 128 MiB = %d, %v, want 512 MiB", large.cfg.Limits.MaxBytes, err)
	}
}

// startRx starts a receiver that the test stops, and returns what it did.
func startRx(t *testing.T, cfg ReceiverConfig) (*rxRig, error) {
	t.Helper()
	r, err := NewReceiver(cfg)
	if err != nil {
		t.Fatalf("NewReceiver: %v", err)
	}
	g := &rxRig{TB: t, r: r, changed: make(chan struct{})}
	g.bound, err = r.Start(t.Context(), g.env(nil))
	t.Cleanup(g.stop)
	return g, err
}

// freePorts finds n successive TCP ports of an address that are free now.
func freePorts(t *testing.T, host string, n int) int {
	t.Helper()
	for first := 20000; first < 60000; first += n {
		var all []net.Listener
		for p := first; p < first+n; p++ {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p)))
			if err != nil {
				break
			}
			all = append(all, l)
		}
		for _, l := range all {
			l.Close()
		}
		if len(all) == n {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

func TestReceiverPortSearch(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		const host = "127.0.0.1"
		first := freePorts(t, host, 4)
		for i := range 3 {
			g, err := startRx(t, ReceiverConfig{Address: host, Port: first, PortTries: 3, UDPPort: first, Poller: p})
			if err != nil || g.bound.Port != first+i || g.bound.UDPPort != first+i {
				t.Fatalf("Start number %d = %+v, %v, want port %d", i, g.bound, err, first+i)
			}
		}
		_, err := startRx(t, ReceiverConfig{Address: host, Port: first, PortTries: 3, Poller: p})
		if want := strconv.Itoa(first) + " to " + strconv.Itoa(first+2); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Start with all ports taken: %v, want one line with %q", err, want)
		}
		_, err = startRx(t, ReceiverConfig{Address: host, Port: first, PortTries: 1, Poller: p})
		if want := "port " + strconv.Itoa(first) + ":"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start with the port taken: %v, want an error with %q", err, want)
		}
		_, err = startRx(t, ReceiverConfig{Address: host, Port: first + 3, UDPPort: first, PortTries: 1, Poller: p})
		if err == nil || !strings.Contains(err.Error(), "UDP") {
			t.Errorf("Start with the UDP port taken: %v, want an error", err)
		}
		if g, err := startRx(t, ReceiverConfig{Address: host, Port: first + 3, PortTries: 1, Poller: p}); err != nil {
			t.Errorf("Start = %+v, %v: the start that failed has left its TCP port open", g.bound, err)
		}
	})
}

func TestReceiverAddresses(t *testing.T) {
	auto, err := autoAddress()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		cfg  ReceiverConfig
		host string // empty: an error
		port int    // 0: that of the listener
	}{
		{"number", ReceiverConfig{Address: "127.0.0.1"}, "127.0.0.1", 0},
		{"name", ReceiverConfig{Address: "localhost"}, "127.0.0.1", 0},
		{"IPv6", ReceiverConfig{Address: "::1"}, "::1", 0},
		{"auto", ReceiverConfig{}, auto.String(), 0},
		{"unspecified", ReceiverConfig{Address: "0.0.0.0"}, auto.String(), 0},
		{"unspecified IPv6", ReceiverConfig{Address: "::"}, auto.String(), 0},
		{"advertised host", ReceiverConfig{Address: "127.0.0.1", Advertise: "192.0.2.7"}, "192.0.2.7", 0},
		{"advertised host and port", ReceiverConfig{Address: "127.0.0.1", Advertise: "192.0.2.7:99"}, "192.0.2.7", 99},
		{"advertised IPv6 and port", ReceiverConfig{Address: "127.0.0.1", Advertise: "[2001:db8::7]:99"}, "2001:db8::7", 99},
		{"advertised name", ReceiverConfig{Address: "0.0.0.0", Advertise: "localhost"}, "127.0.0.1", 0},
		{"mapped IPv4", ReceiverConfig{Address: "::ffff:127.0.0.1"}, "127.0.0.1", 0},
		{"no such name", ReceiverConfig{Address: "no-such-host.invalid"}, "", 0},
		{"no such advertised name", ReceiverConfig{Address: "127.0.0.1", Advertise: "no-such-host.invalid"}, "", 0},
		{"not ours", ReceiverConfig{Address: "192.0.2.7"}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Port = AnyPort
			g, err := startRx(t, tt.cfg)
			if tt.host == "" {
				if err == nil {
					t.Errorf("Start = %+v, want an error", g.bound)
				}
				return
			}
			if err != nil {
				t.Fatalf("Start: %v", err)
			}
			port := tt.port
			if port == 0 {
				port = int(addrPort(g.r.listener.Addr()).Port())
			}
			if b := g.bound; b.Host != netip.MustParseAddr(tt.host) || b.Port != port || b.SecurePort != membership.NoPort || b.UDPPort != membership.NoPort {
				t.Errorf("Start() = %+v, want %s, port %d", b, tt.host, port)
			}
		})
	}
}

// TestReceiverIPv6 exchanges a message by IPv6, and by IPv4 with a listener for
// both.
func TestReceiverIPv6(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		for address, dial := range map[string]string{"::1": "::1", "::": "127.0.0.1"} {
			g := newRx(t, ReceiverConfig{Address: address, Poller: p}, nil)
			f := newFrames(t)
			g.bound.Host = netip.MustParseAddr(dial)
			c := g.dial()
			c.put(f.frame(optSync, "x"))
			c.want(ackPlainOK)
			if from := g.conn().from; from.Addr().String() != dial {
				t.Errorf("a connection from %v, want %s", from, dial)
			}
		}
	})
}

// TestReceiverOwnListener takes listeners from the caller.
func TestReceiverOwnListener(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		g := newRx(t, ReceiverConfig{Listener: l, PacketConn: u, Poller: p}, nil)
		if want := addrPort(l.Addr()); g.addr() != want.String() || g.bound.UDPPort != int(addrPort(u.LocalAddr()).Port()) {
			t.Errorf("Start() = %+v, want %v and the port of %v", g.bound, want, u.LocalAddr())
		}
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "x"))
		c.want(ackPlainOK)
		g.stop()
		if _, err := l.Accept(); err == nil {
			t.Error("the listener is open after Stop")
		}
		if _, err := u.WriteTo([]byte("x"), u.LocalAddr()); err == nil {
			t.Error("the packet connection is open after Stop")
		}
	})
}

// TestReceiverStartFails leaves nothing open when it cannot say where it is.
func TestReceiverStartFails(t *testing.T) {
	l := newPipeListener()
	_, err := startRx(t, ReceiverConfig{Listener: l})
	if err == nil || !strings.Contains(err.Error(), "Advertise") {
		t.Errorf("Start with a listener without address: %v, want an error that names Advertise", err)
	}
	select {
	case <-l.closed:
	default:
		t.Error("the listener is open after a start that failed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := NewReceiver(ReceiverConfig{Address: "localhost.invalid", Port: AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Start(ctx, (&rxRig{TB: t, changed: make(chan struct{})}).env(nil)); err == nil {
		t.Error("Start with a context that has ended and a name to resolve: no error")
	}
}
