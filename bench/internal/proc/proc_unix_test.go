//go:build unix

package proc

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// start runs a script, waits until it has printed a line and returns what else it prints.
func start(t *testing.T, script string) (*Process, io.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = w
	p, err := Start(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	rest := bufio.NewReader(r)
	if _, err := rest.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return p, rest
}

// An interrupt at the terminal goes to the group of the program that measures, and to no
// process of it.
func TestOwnGroup(t *testing.T) {
	p, _ := start(t, "echo; exec cat /dev/zero >/dev/null")
	group, err := syscall.Getpgid(p.ID())
	if err != nil || group != p.ID() || group == syscall.Getpgrp() {
		t.Errorf("process %d is in group %d, we are in %d; %v", p.ID(), group, syscall.Getpgrp(), err)
	}
	for range 2 {
		if err := p.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
	}
}

// What a process has started is killed with it: nobody is left who could write.
func TestKillGroup(t *testing.T) {
	p, output := start(t, "sleep 1000 & echo; wait")
	p.Kill()
	<-p.Done()
	if b, err := io.ReadAll(output); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}

func TestStubborn(t *testing.T) {
	p, _ := start(t, "trap '' TERM; echo; while :; do :; done")
	if err := p.Stop(time.Millisecond); err == nil {
		t.Error("a process that ignores the signal has ended by itself")
	}
	<-p.Done()
}

func TestNoProgram(t *testing.T) {
	if p, err := Start(exec.Command("/no/such/program")); err == nil {
		t.Errorf("%v started", p)
	}
}
