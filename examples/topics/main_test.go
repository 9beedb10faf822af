package main

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// output ends the program when it has all the parts.
type output struct {
	mu   sync.Mutex
	b    strings.Builder
	want []string
	full func()
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b.Write(p)
	for _, w := range o.want {
		if !strings.Contains(o.b.String(), w) {
			return len(p), nil
		}
	}
	o.full()
	return len(p), nil
}

func TestTwoOfThem(t *testing.T) {
	network := mem.NewNetwork(mem.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var full, programs sync.WaitGroup
	for _, host := range []string{"a", "b"} {
		full.Add(1)
		out := &output{full: sync.OnceFunc(full.Done),
			want: []string{"price: tea 3.20\n", "order: two teas\n", "the empty order: ", "empty order\n"}}
		node := network.Node(host).Config()
		programs.Go(func() { // ends with ctx
			err := run(ctx, out, group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership))
			if err != nil {
				t.Errorf("%s: %v", host, err)
			}
		})
	}
	full.Wait()
	cancel()
	programs.Wait()
}
