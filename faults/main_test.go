//go:build faults && linux

package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/gotribes/tribes/internal/netlab"
)

// TRIBES_FAULTS=full means that there is time for more, and race that members
// look for data races.
var (
	full  = os.Getenv("TRIBES_FAULTS") == "full"
	races = os.Getenv("TRIBES_FAULTS") == "race"
)

// program is the built tribes-demo.
var program string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(code)
}

// run runs the tests with the program built, and leaves no network behind.
func run(m *testing.M) (code int, err error) {
	if err := netlab.Check(); err != nil {
		return 1, err
	}
	if err := netlab.Sweep(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "tribes-faults-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program = filepath.Join(dir, "tribes-demo")
	if err := build(program); err != nil {
		return 1, err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() { // ends below
		if _, ok := <-interrupted; ok {
			fmt.Fprintln(os.Stderr, "faults: interrupted:", errors.Join(netlab.CloseAll(), os.RemoveAll(dir)))
			os.Exit(1)
		}
	}()
	machine.start()
	code = m.Run()
	machine.stop()
	signal.Stop(interrupted)
	close(interrupted)
	if code == 0 {
		err = goleak.Find(goleak.IgnoreTopFunction("os/signal.loop"))
	}
	return code, errors.Join(err, netlab.CloseAll())
}

// build builds the members.
func build(to string) error {
	args := []string{"build", "-o", to}
	if races {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = filepath.Join("..", "cmd", "tribes-demo")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
