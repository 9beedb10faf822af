package mcast

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestConfigDefaults(t *testing.T) {
	want := Config{
		Address: netip.MustParseAddr("228.0.0.4"), Port: 45564, TTL: 1,
		Frequency: 500 * time.Millisecond, DropTime: 3 * time.Second,
		MaxMembers: 4096, RecoveryPause: time.Second, MaxQueue: 16 << 20,
	}
	for _, c := range []struct {
		name   string
		given  Config
		change func(*Config)
	}{
		{"zero", Config{}, func(*Config) {}},
		{"slow", Config{Frequency: 2 * time.Second}, func(c *Config) { c.Frequency, c.DropTime = 2*time.Second, 12*time.Second }},
		{"fast", Config{Frequency: 50 * time.Millisecond}, func(c *Config) { c.Frequency = 50 * time.Millisecond }},
		{"mapped address", Config{Address: netip.MustParseAddr("::ffff:239.1.2.3")}, func(c *Config) { c.Address = netip.MustParseAddr("239.1.2.3") }},
		{"this machine only", Config{TTL: -1}, func(c *Config) { c.TTL = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := want
			c.change(&want)
			s, err := New(c.given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, s.Config(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("Config() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // one per problem
	}{
		{"unicast", Config{Address: netip.MustParseAddr("10.0.0.1")}, []string{"Address 10.0.0.1: want an IPv4 multicast address"}},
		{"IPv6", Config{Address: netip.MustParseAddr("ff02::1")}, []string{"Address ff02::1: want an IPv4 multicast address"}},
		{"port", Config{Port: 65536}, []string{"Port 65536: want 1 to 65535"}},
		{"drop time", Config{DropTime: time.Second}, []string{"DropTime 1s: want at least three times Frequency, which is 500ms"}},
		{"all", Config{Port: -1, TTL: 256, Frequency: -1, DropTime: -1, MaxMembers: -1, RecoveryPause: -1, Messages: 9, MaxQueue: 100},
			[]string{"Port -1: want", "TTL 256: want", "Frequency -1ns: want", "DropTime -1ns: want", "MaxMembers -1: want",
				"RecoveryPause -1ns: want", "Messages 9: want", "MaxQueue 100: want"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.cfg)
			if err == nil {
				t.Fatal("New() = nil, want an error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("New() = %v, want %d problems", err, len(c.want))
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], "tribes: mcast: "+want) {
					t.Errorf("problem %q, want %q", lines[i], want)
				}
			}
		})
	}
}
