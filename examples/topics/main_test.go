package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
	if len(o.missing()) == 0 {
		o.full()
	}
	return len(p), nil
}

// missing are the parts that were not written yet.
func (o *output) missing() []string {
	return slices.DeleteFunc(slices.Clone(o.want), func(w string) bool { return strings.Contains(o.b.String(), w) })
}

func TestTwoOfThem(t *testing.T) {
	network := mem.NewNetwork(mem.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var full, programs sync.WaitGroup
	for _, host := range []string{"a", "b"} {
		full.Add(1)
		out := &output{full: sync.OnceFunc(full.Done),
			want: []string{"price: tea 3.20\n", "order: two teas\n", "the empty order: ", `"empty order"`}}
		node := network.Node(host).Config()
		programs.Go(func() { // ends with ctx
			err := run(ctx, out, group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership))
			if err != nil {
				t.Errorf("%s: %v", host, err)
			}
			out.full() // also if it ended early
			if got := out.missing(); len(got) > 0 {
				t.Errorf("%s printed no %q: %s", host, got, out.b.String())
			}
		})
	}
	full.Wait()
	cancel()
	programs.Wait()
}
