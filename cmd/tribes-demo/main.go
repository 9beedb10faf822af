// Command tribes-demo runs group members: without a subcommand a live group of
// three, with one the tools that go with it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/config"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/decode"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/doctor"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/node"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/show"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string) int {
	var command string
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "node":
		return node.Run(ctx, args[1:], os.Stdin, os.Stdout, os.Stderr)
	case "decode":
		return decode.Run(args[1:], os.Stdin, os.Stdout, os.Stderr)
	case "config":
		return config.Run(args[1:], os.Stdout, os.Stderr)
	case "doctor":
		return doctor.Run(ctx, args[1:], os.Stdout, os.Stderr)
	case "version":
		fmt.Println("tribes-demo", version())
		return 0
	}
	return show.Run(ctx, args, os.Stdout, os.Stderr)
}

// version is that of the module, as the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
