package place

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gotribes/tribes/internal/netlab"
)

// CanIsolate tells why hosts cannot have networks of their own, or nil.
func CanIsolate() error { return netlab.Check() }

// isolated is a network of namespaces.
type isolated struct {
	lab *netlab.Network
	ns  []*os.File // by host
}

// sweep removes, once, what programs have left that were killed.
var sweep = sync.OnceValue(netlab.Sweep)

func namespaces(ctx context.Context, hosts int) (network, error) {
	if err := sweep(); err != nil {
		return nil, err
	}
	lab, err := netlab.New(ctx, hosts)
	if err != nil {
		return nil, err
	}
	n := &isolated{lab: lab}
	for i := range hosts {
		ns, err := os.Open(lab.File(i))
		if err != nil {
			return nil, errors.Join(err, n.close())
		}
		n.ns = append(n.ns, ns)
	}
	return n, nil
}

func (n *isolated) addr(host int) string { return n.lab.Addr(host).String() }

func (n *isolated) argv(host int, args []string) []string {
	return n.lab.Command(host, args[0], args[1:]...).Args
}

func (n *isolated) moved(host int) (in, out uint64, err error) {
	var b []byte
	err = inside(n.ns[host], func() (err error) {
		b, err = os.ReadFile("/proc/thread-self/net/dev")
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return figures(string(b), "eth0")
}

// figures finds the bytes that an interface has got and sent in the text of
// /proc/net/dev.
func figures(text, name string) (in, out uint64, err error) {
	const outBytes = 8 // after eight figures of what was received
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name+":")
		if f := strings.Fields(rest); ok && len(f) > outBytes {
			in, err = strconv.ParseUint(f[0], 10, 64)
			if err == nil {
				out, err = strconv.ParseUint(f[outBytes], 10, 64)
			}
			return in, out, err
		}
	}
	return 0, 0, fmt.Errorf("no figures of %s", name)
}

func (n *isolated) cable(ctx context.Context, host int, in bool) error {
	if in {
		return n.lab.Plug(ctx, host)
	}
	return n.lab.Unplug(ctx, host)
}

func (n *isolated) close() error {
	var errs []error
	for _, ns := range n.ns {
		errs = append(errs, ns.Close())
	}
	return errors.Join(append(errs, n.lab.Close())...)
}

// dial makes the socket inside the namespace; where it is used later does not matter.
func (n *isolated) dial(ctx context.Context, from int, addr string) (conn net.Conn, err error) {
	err = inside(n.ns[from], func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", addr)
		return err
	})
	return conn, err
}

// inside runs f on a thread inside the namespace and returns when it is over.
func inside(ns *os.File, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- entered(ns, f) }()
	return <-done
}

// entered is the whole life of a goroutine: if its thread cannot come back from the
// namespace it stays locked and ends with it.
func entered(ns *os.File, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
		runtime.UnlockOSThread()
	}
	return err
}
