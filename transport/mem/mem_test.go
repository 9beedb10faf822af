package mem_test

import (
	"context"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m, message.CheckLive) }

// startChannel runs a channel on a node until the test ends.
func startChannel(t testing.TB, nd *mem.Node) *channel.Channel {
	t.Helper()
	c, err := channel.New(nd.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-c.Done(): // the test has stopped it
			return
		default:
		}
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return c
}
