package serve

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/store"
	"github.com/gotribes/tribes/internal/leak"
)

// TestMain lets the test binary be the processes too.
func TestMain(m *testing.M) {
	run := map[string]func(context.Context, []string, io.Writer, io.Writer) int{"web": Run, "store": store.Run}
	if len(os.Args) > 1 && run[os.Args[1]] != nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		status := run[os.Args[1]](ctx, os.Args[2:], os.Stdout, os.Stderr)
		stop()
		os.Exit(status)
	}
	leak.Main(m)
}
