//go:build linux

package netlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// maxHosts is how many hosts fit into the addresses of a network.
const maxHosts = 250

// namespaces is where the command ip keeps the names of namespaces.
const namespaces = "/run/netns"

// Network is a network of hosts, numbered from 0. Its methods may be called by
// several goroutines, except that nothing may follow or overlap Close.
type Network struct {
	name  string
	hosts int

	mu     sync.Mutex
	faults faults
}

// Check returns an error unless this process may make networks and has the
// commands for it.
func Check() error {
	if os.Geteuid() != 0 {
		return errors.New("netlab: network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft", "tc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("netlab: the command %s is missing", tool)
		}
	}
	return nil
}

var (
	made     atomic.Int64 // networks of this process
	building sync.Mutex   // ip makes its folder of names without a lock
)

// New builds a network. The caller must Close it; if New fails nothing is left.
func New(ctx context.Context, hosts int) (*Network, error) {
	if hosts < 1 || hosts > maxHosts {
		return nil, fmt.Errorf("netlab: %d hosts: want 1 to %d", hosts, maxHosts)
	}
	n := &Network{name: fmt.Sprintf("netlab-%d-%d", os.Getpid(), made.Add(1)), hosts: hosts}
	building.Lock()
	defer building.Unlock()
	if err := n.build(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// build makes the namespaces and cables, and then what is inside each.
func (n *Network) build(ctx context.Context) error {
	names := []string{"netns add " + n.bridge()}
	var cables []string
	inside := []string{"link set lo up", "link add br0 type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set br0 up"}
	for i := range n.hosts {
		names = append(names, "netns add "+n.host(i))
		// One segment is one frame: loss hits packets and not aggregates of them.
		cables = append(cables, fmt.Sprintf("link add %s netns %s gso_max_segs 1 type veth peer name eth0 netns %s gso_max_segs 1",
			port(i), n.bridge(), n.host(i)))
		inside = append(inside, fmt.Sprintf("link set %s master br0 up", port(i)))
	}
	if err := run(ctx, lines(append(names, cables...)), "ip", "-batch", "-"); err != nil {
		return err
	}
	if err := n.batch(ctx, n.bridge(), inside); err != nil {
		return err
	}
	for i := range n.hosts {
		if err := n.batch(ctx, n.host(i), append([]string{
			"link set lo up",
			fmt.Sprintf("addr add %s/24 dev eth0", n.Addr(i)),
		}, up...)); err != nil {
			return err
		}
	}
	return nil
}

// up makes the interface of a host work, also after it was down, which removes
// its routes.
var up = []string{"link set eth0 up", "route replace default dev eth0"}

// batch runs lines of the command ip inside a namespace without IPv6.
func (n *Network) batch(ctx context.Context, namespace string, commands []string) error {
	const script = "for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6 || exit 1; done; exec ip -batch -"
	return run(ctx, lines(commands), "ip", "netns", "exec", namespace, "sh", "-c", script)
}

// Hosts is how many hosts there are.
func (n *Network) Hosts() int { return n.hosts }

// Addr is the address of a host.
func (n *Network) Addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 99, 0, byte(i + 1)})
}

func (n *Network) bridge() string { return n.name + "-bridge" }

func (n *Network) host(i int) string { return n.name + "-host" + strconv.Itoa(i) }

// port is the end of a host's cable at the bridge.
func port(i int) string { return "h" + strconv.Itoa(i) }

func lines(commands []string) string { return strings.Join(commands, "\n") + "\n" }

// Command returns the command name, to be run on a host. The process that is
// started becomes the command, so that its id is the one to send signals to; it
// is killed when the process that started it ends.
func (n *Network) Command(i int, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", n.host(i), name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// File is the name of a file by which the namespace of a host can be entered (setns).
func (n *Network) File(i int) string { return filepath.Join(namespaces, n.host(i)) }

// Close removes the network. Processes that are left on its hosts keep running
// and reach nobody.
func (n *Network) Close() error {
	return remove(func(name string) bool { return strings.HasPrefix(name, n.name+"-") })
}

// Sweep removes what other processes have left that ended without Close.
func Sweep() error {
	return remove(func(name string) bool {
		m := ours.FindStringSubmatch(name)
		if m == nil {
			return false
		}
		_, err := os.Stat("/proc/" + m[1])
		return errors.Is(err, os.ErrNotExist)
	})
}

// CloseAll removes every network of this process.
func CloseAll() error {
	own := fmt.Sprintf("netlab-%d-", os.Getpid())
	return remove(func(name string) bool { return strings.HasPrefix(name, own) })
}

var ours = regexp.MustCompile(`^netlab-(\d+)-\d+-`)

// remove deletes the namespaces that match, and with them all that is in them.
func remove(match func(name string) bool) error {
	entries, err := os.ReadDir(namespaces)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var errs []error
	for _, e := range entries {
		if match(e.Name()) {
			errs = append(errs, run(context.Background(), "", "ip", "netns", "del", e.Name()))
		}
	}
	return errors.Join(errs...)
}

// run runs a command; its error has what the command said.
func run(ctx context.Context, stdin, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("netlab: %s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
