package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestGreeting lets the program greet itself; that Java nodes understand the
// same messages is proven by package interop.
func TestGreeting(t *testing.T) {
	network := mem.NewNetwork(mem.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	var programs, greeted sync.WaitGroup
	for _, host := range []string{"a", "b"} {
		node := network.Node(host).Config()
		r, w := io.Pipe()
		programs.Go(func() { // ends with ctx
			w.CloseWithError(run(ctx, w, group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership)))
		})
		greeted.Add(1)
		done := sync.OnceFunc(greeted.Done)
		programs.Go(func() { // ends with the output
			defer done()
			for in := bufio.NewScanner(r); in.Scan(); {
				if strings.Contains(in.Text(), `says "hello from Go"`) {
					done()
				}
			}
			if ctx.Err() == nil {
				t.Errorf("%s ended by itself", host)
			}
		})
	}
	greeted.Wait()
	cancel()
	programs.Wait()
}
