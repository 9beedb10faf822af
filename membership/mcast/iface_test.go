package mcast

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	const up, able, loop = net.FlagUp, net.FlagMulticast, net.FlagLoopback
	lo := net.Interface{Index: 1, Name: "lo", Flags: up | loop}
	eth0 := net.Interface{Index: 2, Name: "eth0", Flags: up | able}
	eth1 := net.Interface{Index: 3, Name: "eth1", Flags: up | able}
	down := net.Interface{Index: 4, Name: "down", Flags: able}
	tun := net.Interface{Index: 5, Name: "tun", Flags: up}
	bare := net.Interface{Index: 6, Name: "bare", Flags: up | able}
	addrs := map[string]string{"lo": "127.0.0.1", "eth0": "10.0.0.1", "eth1": "10.1.0.1", "down": "10.2.0.1", "tun": "10.3.0.1"}
	find := func(ifi net.Interface) []netip.Addr {
		if a := addrs[ifi.Name]; a != "" {
			return []netip.Addr{netip.MustParseAddr(a)}
		}
		return nil
	}
	for _, c := range []struct {
		name         string
		all          []net.Interface
		local, route string
		want         string
	}{
		{"local address first", []net.Interface{lo, eth0, eth1}, "10.1.0.1", "10.0.0.1", "eth1 eth0 lo"},
		{"then the route", []net.Interface{lo, eth0, eth1}, "203.0.113.1", "10.1.0.1", "eth1 eth0 lo"},
		{"then any", []net.Interface{lo, eth0, eth1}, "203.0.113.1", "", "eth0 eth1 lo"},
		{"local member on loopback", []net.Interface{lo, eth0}, "127.0.0.1", "10.0.0.1", "lo eth0"},
		{"not those that are down, cannot, or have no address", []net.Interface{down, tun, bare, lo}, "10.2.0.1", "10.3.0.1", "lo"},
		{"nothing", []net.Interface{down}, "10.2.0.1", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			route, _ := netip.ParseAddr(c.route)
			found := choose(c.all, find, netip.MustParseAddr(c.local), route)
			var names []string
			for _, ifi := range found {
				names = append(names, ifi.Name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("choose() = %q, want %q", got, c.want)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(ifi net.Interface) bool { return ifi.Flags&net.FlagLoopback != 0 })
	for _, want := range []string{all[at].Name, "127.0.0.1", "::ffff:127.0.0.1"} {
		if got, err := named(all, want); err != nil || got.Index != all[at].Index {
			t.Errorf("named(%q) = %q, %v, want %q", want, got.Name, err, all[at].Name)
		}
	}
	if _, err := named(all, "nosuch0"); err == nil || !strings.Contains(err.Error(), "(127.0.0.1)") {
		t.Errorf("named(nosuch0) = %v, want an error that lists what there is", err)
	}
}

func TestSourceOn(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	one := netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct{ name, setting, local string }{
		{"local member", "lo", "127.0.0.1"},
		{"setting", "127.0.0.1", "10.9.8.7"},
		{"the first there is", "lo", "10.9.8.7"},
	} {
		o := opener{cfg: &Config{Interface: c.setting}, local: netip.MustParseAddr(c.local)}
		if got := o.sourceOn(lo); got != one {
			t.Errorf("%s: sourceOn(lo) = %v, want %v", c.name, got, one)
		}
	}
	if got := (opener{cfg: new(Config)}).sourceOn(&net.Interface{Name: "nosuch0", Index: 1 << 20}); got.IsValid() {
		t.Errorf("sourceOn(an interface that is gone) = %v, want none", got)
	}
}
