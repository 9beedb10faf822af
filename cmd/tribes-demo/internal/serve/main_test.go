package serve

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

// TestMain lets the test binary be the processes too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "web" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		status := Run(ctx, os.Args[2:], os.Stdout, os.Stderr)
		stop()
		os.Exit(status)
	}
	leak.Main(m)
}
