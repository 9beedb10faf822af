//go:build linux

package netlab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestRules(t *testing.T) {
	tests := []struct {
		name   string
		faults faults
		want   []string
	}{
		{"none", faults{}, nil},
		{"one way", faults{cuts: []cut{{0, 2}}}, []string{`iifname "h0" oifname "h2" counter drop`}},
		{"blocks", faults{noTCP: []int{1}, noMulticast: []int{3}}, []string{
			`iifname "h1" ip protocol tcp counter drop`,
			`iifname "h3" ip daddr 224.0.0.0/4 counter drop`,
			`oifname "h1" ip protocol tcp counter drop`,
			`oifname "h3" ip daddr 224.0.0.0/4 counter drop`,
		}},
		{"loss", faults{loss: 0.5}, []string{"numgen random mod 100000 < 500 counter drop"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for line := range strings.Lines(test.faults.rules()) {
				if strings.HasSuffix(line, "drop\n") {
					got = append(got, strings.TrimSpace(line))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNetworksOfOtherProcesses(t *testing.T) {
	for name, want := range map[string]bool{
		"netlab-12-1-bridge": true, "netlab-12-34-host5": true,
		"lab-host1": false, "netlab-x-1-bridge": false, "my-netlab-12-1-bridge": false,
	} {
		if got := ours.MatchString(name); got != want {
			t.Errorf("ours(%q) = %v, want %v", name, got, want)
		}
	}
}
