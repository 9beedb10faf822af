// Replay runs go test so that simulations are exact: what a seed does depends on nothing
// but the seed and the code.
//
//	go run ./simulation/replay [flags and packages of go test]
//	go run ./simulation/replay -run '^TestSimulation$' ./simulation -simulation.seed 186
//
// It builds Go's standard library with a runtime of its own, which takes a minute once;
// see package replay. A simulation that fails prints the command that runs it again. With
// -c the program is built and not run: it replays wherever and however it is started, in a
// debugger, too.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/gotribes/tribes/internal/replay"
)

func main() {
	err := run(os.Args[1:])
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit): // go test has said why
		os.Exit(max(1, exit.ExitCode()))
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	dir, err := os.MkdirTemp("", "tribes-replay")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := replay.Overlay(dir, nil)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", append([]string{"test", "-overlay", overlay}, tagged(args)...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// tagged returns the arguments with the tag of programs that replay, beside those that are
// in them: the go command heeds the last flag -tags alone.
func tagged(args []string) []string {
	tags, rest := replay.Tag, []string(nil)
	for i := 0; i < len(args); i++ {
		flag, value, joined := strings.Cut(args[i], "=")
		switch {
		case flag == "-args" || flag == "--args":
			return slices.Concat([]string{"-tags", tags}, rest, args[i:])
		case flag != "-tags" && flag != "--tags":
			rest = append(rest, args[i])
			continue
		case !joined && i+1 < len(args):
			i++
			value = args[i]
		}
		tags += "," + value
	}
	return slices.Concat([]string{"-tags", tags}, rest)
}
