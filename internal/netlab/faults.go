//go:build linux

package netlab

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// faults are those that rules on the bridge make.
type faults struct {
	cuts        []cut
	noTCP       []int
	noMulticast []int
	loss        float64 // percent of frames
}

// cut is one direction between two hosts.
type cut struct{ from, to int }

// Cut loses everything that one host sends to others; what these send still
// arrives.
func (n *Network) Cut(ctx context.Context, from int, to ...int) error {
	return n.change(ctx, func(f *faults) {
		for _, t := range to {
			f.cuts = append(f.cuts, cut{from, t})
		}
	})
}

// Partition separates groups of hosts from each other, both ways. Hosts in no
// group keep all their links.
func (n *Network) Partition(ctx context.Context, groups ...[]int) error {
	return n.change(ctx, func(f *faults) {
		for i, g := range groups {
			for j, other := range groups {
				if i == j {
					continue
				}
				for _, from := range g {
					for _, to := range other {
						f.cuts = append(f.cuts, cut{from, to})
					}
				}
			}
		}
	})
}

// BlockTCP loses TCP from and to hosts; UDP goes through.
func (n *Network) BlockTCP(ctx context.Context, hosts ...int) error {
	return n.change(ctx, func(f *faults) { f.noTCP = append(f.noTCP, hosts...) })
}

// BlockMulticast loses multicast from and to hosts; everything else goes
// through.
func (n *Network) BlockMulticast(ctx context.Context, hosts ...int) error {
	return n.change(ctx, func(f *faults) { f.noMulticast = append(f.noMulticast, hosts...) })
}

// Lose loses so many percent of all frames at random, from 0 to 100.
func (n *Network) Lose(ctx context.Context, percent float64) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("netlab: loss of %v %%: want 0 to 100", percent)
	}
	return n.change(ctx, func(f *faults) { f.loss = percent })
}

// Heal ends cuts, partitions, blocks and loss.
func (n *Network) Heal(ctx context.Context) error {
	return n.change(ctx, func(f *faults) { *f = faults{} })
}

// change makes the rules of the bridge anew, in one transaction.
func (n *Network) change(ctx context.Context, edit func(*faults)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := n.faults.clone()
	edit(&next)
	if err := run(ctx, next.rules(), "ip", "netns", "exec", n.bridge(), "nft", "-f", "-"); err != nil {
		return err
	}
	n.faults = next
	return nil
}

func (f faults) clone() faults {
	f.cuts, f.noTCP, f.noMulticast = slices.Clone(f.cuts), slices.Clone(f.noTCP), slices.Clone(f.noMulticast)
	return f
}

// rules is the input of nft.
func (f faults) rules() string {
	var b strings.Builder
	b.WriteString("add table bridge netlab\ndelete table bridge netlab\n" +
		"table bridge netlab {\nchain forward {\ntype filter hook forward priority 0; policy accept;\n")
	for _, c := range f.cuts {
		fmt.Fprintf(&b, "iifname %q oifname %q counter drop\n", port(c.from), port(c.to))
	}
	for _, end := range []string{"iifname", "oifname"} {
		for _, h := range f.noTCP {
			fmt.Fprintf(&b, "%s %q ip protocol tcp counter drop\n", end, port(h))
		}
		for _, h := range f.noMulticast {
			fmt.Fprintf(&b, "%s %q ip daddr 224.0.0.0/4 counter drop\n", end, port(h))
		}
	}
	if f.loss > 0 {
		const parts = 100_000
		fmt.Fprintf(&b, "numgen random mod %d < %d counter drop\n", parts, int(f.loss*parts/100))
	}
	b.WriteString("}\n}\n")
	return b.String()
}

// Dropped is how many frames the present cuts, blocks and loss have lost. A
// change of these begins the count anew.
func (n *Network) Dropped(ctx context.Context) (uint64, error) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", n.bridge(), "nft", "list", "table", "bridge", "netlab").Output()
	if err != nil {
		return 0, fmt.Errorf("netlab: nft list: %w", err)
	}
	var sum uint64
	for _, m := range counter.FindAllSubmatch(out, -1) {
		packets, err := strconv.ParseUint(string(m[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("netlab: nft list: %w", err)
		}
		sum += packets
	}
	return sum, nil
}

var counter = regexp.MustCompile(`counter packets (\d+)`)

// Unplug pulls the cable of a host: its interface loses the carrier and keeps
// its addresses and routes.
func (n *Network) Unplug(ctx context.Context, host int) error {
	return run(ctx, "", "ip", "-n", n.bridge(), "link", "set", port(host), "down")
}

// Plug ends Unplug.
func (n *Network) Plug(ctx context.Context, host int) error {
	return run(ctx, "", "ip", "-n", n.bridge(), "link", "set", port(host), "up")
}

// Down takes the interface of a host down: its routes are gone and sends fail.
func (n *Network) Down(ctx context.Context, host int) error {
	return run(ctx, "", "ip", "-n", n.host(host), "link", "set", "eth0", "down")
}

// Up ends Down.
func (n *Network) Up(ctx context.Context, host int) error {
	return run(ctx, lines(up), "ip", "-n", n.host(host), "-batch", "-")
}

// Limit bounds what a host sends and receives, each to so many bits per second,
// by a queue of 200 ms that loses what does not fit.
func (n *Network) Limit(ctx context.Context, host, bits int) error {
	for _, end := range [][2]string{{n.host(host), "eth0"}, {n.bridge(), port(host)}} {
		if err := run(ctx, "", "tc", "-n", end[0], "qdisc", "replace", "dev", end[1], "root",
			"tbf", "rate", fmt.Sprintf("%dbit", bits), "burst", "16kb", "latency", "200ms"); err != nil {
			return err
		}
	}
	return nil
}

// Unlimit ends Limit.
func (n *Network) Unlimit(ctx context.Context, host int) error {
	for _, end := range [][2]string{{n.host(host), "eth0"}, {n.bridge(), port(host)}} {
		if err := run(ctx, "", "tc", "-n", end[0], "qdisc", "del", "dev", end[1], "root"); err != nil {
			return err
		}
	}
	return nil
}
