package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// output is what a program has printed since it was asked last.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.b.Reset()
	return o.b.String()
}

// Three programs run, in virtual time: one works, and when it is killed another
// one does.
func TestOneWorksAtATime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		network := mem.NewNetwork(mem.Config{Link: mem.Link{Delay: time.Millisecond}})
		var programs sync.WaitGroup
		outputs := make(map[string]*output)
		stops := make(map[string]context.CancelFunc)
		for _, host := range []string{"a", "b", "c"} {
			out, node := new(output), network.Node(host).Config()
			ctx, stop := context.WithCancel(t.Context())
			outputs[host], stops[host] = out, stop
			programs.Go(func() { // ends with ctx
				if err := run(ctx, out, group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership)); err != nil {
					t.Errorf("%s: %v", host, err)
				}
			})
		}
		works := func(want string) {
			t.Helper()
			for host, out := range outputs {
				if got := out.take(); strings.Contains(got, "working, term ") != (host == want) {
					t.Errorf("%s has printed:\n%swant %s to work", host, got, want)
				}
			}
		}
		time.Sleep(10 * time.Second)
		works("a")
		network.Crash("a")
		stops["a"]()
		time.Sleep(10 * time.Second)
		delete(outputs, "a")
		works("b")
		for _, stop := range stops {
			stop()
		}
		programs.Wait()
	})
}
