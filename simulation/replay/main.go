package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/gotribes/tribes/internal/replay"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	dir, err := os.MkdirTemp("", "replay")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	files, err := replay.Files(strings.TrimSpace(string(goroot)), dir)
	if err != nil {
		return err
	}
	overlay, err := replay.Overlay(dir, files)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", append([]string{"test", "-overlay", overlay, "-tags", replay.Tags}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
