package place

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gotribes/tribes/internal/netlab"
)

// CanIsolate tells why hosts cannot have networks of their own, or nil.
func CanIsolate() error { return netlab.Check() }

// isolated is a network of namespaces.
type isolated struct {
	lab     *netlab.Network
	keepers []*keeper
}

// keeper is a process that does nothing on a host: by its entries in /proc the
// namespace can be entered and its interfaces read.
type keeper struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ns    *os.File
}

func namespaces(ctx context.Context, hosts int) (network, error) {
	lab, err := netlab.New(ctx, hosts)
	if err != nil {
		return nil, err
	}
	n := &isolated{lab: lab}
	for i := range hosts {
		k, err := keep(lab.Command(i, "sh", "-c", "echo; exec cat"))
		if err != nil {
			return nil, errors.Join(err, n.close())
		}
		n.keepers = append(n.keepers, k)
	}
	return n, nil
}

func keep(cmd *exec.Cmd) (*keeper, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k := &keeper{cmd: cmd, stdin: stdin}
	// The line tells that the process is inside.
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return nil, errors.Join(err, k.close())
	}
	k.ns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func (k *keeper) close() error {
	errs := []error{k.stdin.Close(), k.cmd.Wait()}
	if k.ns != nil {
		errs = append(errs, k.ns.Close())
	}
	return errors.Join(errs...)
}

func (n *isolated) addr(host int) string { return n.lab.Addr(host).String() }

func (n *isolated) argv(host int, args []string) []string {
	return n.lab.Command(host, args[0], args[1:]...).Args
}

func (n *isolated) moved(host int) (in, out uint64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", n.keepers[host].cmd.Process.Pid))
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
	for _, k := range n.keepers {
		errs = append(errs, k.close())
	}
	return errors.Join(append(errs, n.lab.Close())...)
}

// dial makes the socket inside the namespace; where it is used later does not matter.
func (n *isolated) dial(ctx context.Context, from int, addr string) (net.Conn, error) {
	var conn net.Conn
	done := make(chan error, 1)
	go func() {
		done <- inside(n.keepers[from].ns, func() (err error) {
			var d net.Dialer
			conn, err = d.DialContext(ctx, "tcp", addr)
			return err
		})
	}()
	err := <-done
	return conn, err
}

// inside runs f on a thread inside the namespace. It is the whole life of a
// goroutine: if the thread cannot come back it stays locked and ends with it.
func inside(ns *os.File, f func() error) error {
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

// dieWithUs makes the kernel end the process if this one ends without doing so.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
