package show

import (
	"context"
	"os"
	"testing"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/node"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/message"
)

// TestMain lets the test binary be the member processes too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "node" {
		os.Exit(node.Run(context.Background(), nil, os.Stdin, os.Stdout, os.Stderr))
	}
	leak.Main(m, message.CheckLive)
}
