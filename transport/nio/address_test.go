package nio

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestCheckAdvertise(t *testing.T) {
	tests := []struct {
		name, in string
		bad      string // part of the error; empty if there is none
	}{
		{"nothing", "", ""},
		{"IPv4", "10.0.0.1", ""},
		{"IPv4 and port", "10.0.0.1:4000", ""},
		{"IPv6", "2001:db8::1", ""},
		{"IPv6 and port", "[2001:db8::1]:4000", ""},
		{"name", "node1.example.org", ""},
		{"name and port", "node1:4000", ""},
		{"unspecified", "0.0.0.0", "unspecified"},
		{"unspecified IPv6", "::", "unspecified"},
		{"unspecified and port", "[::]:4000", "unspecified"},
		{"multicast", "228.0.0.4", "multicast"},
		{"zone", "fe80::1%eth0", "zone"},
		{"port 0", "10.0.0.1:0", "port"},
		{"port too large", "10.0.0.1:65536", "port"},
		{"port is no number", "10.0.0.1:http", "port"},
		{"no host", ":4000", "host"},
		{"line feed", "host\nname", "printable"},
		{"blank", "a b", "printable"},
		{"long", strings.Repeat("a", 254), "253"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkAdvertise(tt.in)
			if tt.bad == "" && err != nil || tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)) {
				t.Errorf("checkAdvertise(%q) = %v, want an error with %q", tt.in, err, tt.bad)
			}
		})
	}
}

func TestBestAddress(t *testing.T) {
	up := func(ip string) localAddr { return localAddr{ip: netip.MustParseAddr(ip), up: true} }
	down := func(ip string) localAddr { return localAddr{ip: netip.MustParseAddr(ip)} }
	primary := func(ip string) localAddr { return localAddr{ip: netip.MustParseAddr(ip), up: true, primary: true} }
	virtual := func(ip string) localAddr { return localAddr{ip: netip.MustParseAddr(ip), up: true, virtual: true} }
	tests := []struct {
		name string
		all  []localAddr
		want string // empty: none
	}{
		{"none", nil, ""},
		{"loopback alone", []localAddr{up("127.0.0.1"), up("::1")}, "127.0.0.1"},
		{"loopback last", []localAddr{up("127.0.0.1"), up("10.0.0.1")}, "10.0.0.1"},
		{"IPv6 before loopback", []localAddr{up("127.0.0.1"), up("2001:db8::1")}, "2001:db8::1"},
		{"IPv4 first", []localAddr{up("2001:db8::1"), up("192.168.1.2")}, "192.168.1.2"},
		{"down", []localAddr{down("10.0.0.1"), up("192.168.1.2")}, "192.168.1.2"},
		{"all down", []localAddr{down("10.0.0.1"), down("127.0.0.1")}, ""},
		{"default route", []localAddr{up("172.17.0.1"), primary("10.0.0.1"), up("10.0.0.2")}, "10.0.0.1"},
		{"default route of IPv6 alone", []localAddr{primary("2001:db8::1"), up("10.0.0.2")}, "10.0.0.2"},
		{"order of the system", []localAddr{up("10.0.0.2"), up("10.0.0.1")}, "10.0.0.2"},
		{"tunnel", []localAddr{virtual("10.8.0.1"), up("10.0.0.1")}, "10.0.0.1"},
		{"tunnel of the default route", []localAddr{{ip: netip.MustParseAddr("10.8.0.1"), up: true, virtual: true, primary: true}, up("10.0.0.1")}, "10.8.0.1"},
		{"link local IPv4", []localAddr{up("127.0.0.1"), up("169.254.1.1")}, "169.254.1.1"},
		{"link local IPv4 after others", []localAddr{up("169.254.1.1"), up("2001:db8::1")}, "2001:db8::1"},
		{"link local IPv6 needs a zone", []localAddr{up("fe80::1"), up("127.0.0.1")}, "127.0.0.1"},
		{"multicast", []localAddr{up("228.0.0.4"), up("127.0.0.1")}, "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := bestAddress(tt.all)
			if tt.want == "" {
				if err == nil {
					t.Errorf("bestAddress() = %v, want an error", got)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("bestAddress() = %v, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// TestAutoAddress asks the real system: what it finds must be one of its own
// addresses that can be listened on.
func TestAutoAddress(t *testing.T) {
	ip, err := autoAddress()
	if err != nil {
		t.Fatalf("autoAddress: %v", err)
	}
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		t.Fatalf("autoAddress() = %v: %v", ip, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	tests := []struct{ in, want string }{
		{"10.0.0.1", "10.0.0.1"},
		{"::ffff:10.0.0.1", "10.0.0.1"},
		{"2001:db8::1", "2001:db8::1"},
		{"localhost", "127.0.0.1"},
	}
	for _, tt := range tests {
		got, err := resolve(t.Context(), tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("resolve(%q) = %v, %v, want %s", tt.in, got, err, tt.want)
		}
	}
	if got, err := resolve(t.Context(), "no such host.invalid"); err == nil {
		t.Errorf("resolve of nonsense = %v, want an error", got)
	}
}
