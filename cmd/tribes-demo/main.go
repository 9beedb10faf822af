// Command tribes-demo runs group members: without a subcommand a live group of
// three, with one the tools that go with it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/config"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/decode"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/doctor"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/node"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/schema"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/serve"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/show"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var command string
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "node":
		return node.Run(ctx, args[1:], stdin, stdout, stderr)
	case "web":
		return serve.Run(ctx, args[1:], stdout, stderr)
	case "store":
		return store.Run(ctx, args[1:], stdout, stderr)
	case "decode":
		return decode.Run(args[1:], stdin, stdout, stderr)
	case "config":
		return config.Run(args[1:], stdout, stderr)
	case "doctor":
		return doctor.Run(ctx, args[1:], stdout, stderr)
	case "schema":
		return schema.Run(args[1:], stdout, stderr)
	case "help":
		return help(ctx, args[1:], stdout, stderr)
	case "version", "-version", "--version":
		if len(args) > 1 {
			fmt.Fprintf(stderr, "tribes-demo version: unexpected argument %q\n", args[1])
			return 2
		}
		fmt.Fprintln(stdout, "tribes-demo", version())
		return 0
	}
	return show.Run(ctx, args, stdout, stderr)
}

// help shows what -h shows, of the subcommand that args name if they do.
func help(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 0:
		return show.Run(ctx, []string{"-h"}, stdout, stderr)
	case len(args) == 1 && slices.Contains([]string{"node", "web", "store", "decode", "config", "doctor", "schema"}, args[0]):
		return run(ctx, []string{args[0], "-h"}, nil, stdout, stderr)
	}
	fmt.Fprintf(stderr, "tribes-demo help: no help for %q: want node, web, store, decode, config, doctor or schema\n", strings.Join(args, " "))
	return 2
}

// version is that of the module, as the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
