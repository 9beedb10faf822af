package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// person is one who chats: what they type, and what they see.
type person struct {
	keys *io.PipeWriter

	mu   sync.Mutex
	seen strings.Builder
	more chan struct{} // has room for one: something was printed
}

func (p *person) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	return p.seen.Write(b)
}

// sees waits until something was printed.
func (p *person) sees(t *testing.T, text string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		seen := p.seen.String()
		p.mu.Unlock()
		if strings.Contains(seen, text) {
			return
		}
		select {
		case <-p.more:
		case <-late:
			t.Fatalf("does not see %q: %s", text, seen)
		}
	}
}

func (p *person) types(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(p.keys, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func TestChat(t *testing.T) {
	network := mem.NewNetwork(mem.Config{})
	var programs sync.WaitGroup
	defer programs.Wait()
	enter := func(name string) *person {
		in, keys := io.Pipe()
		p := &person{keys: keys, more: make(chan struct{}, 1)}
		node := network.Node(name).Config()
		t.Cleanup(func() { keys.Close() })
		programs.Go(func() { // ends with its input
			err := run(context.Background(), name, in, p, group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		return p
	}
	ann := enter("ann")
	ann.types(t, "hello?")
	ann.sees(t, "(nobody is here)")
	bob := enter("bob")
	ann.sees(t, "(bob has joined)")
	bob.sees(t, "(ann has joined)")
	ann.types(t, "hello bob")
	ann.types(t, "how are you?")
	bob.sees(t, "ann: hello bob\nann: how are you?\n")
	bob.keys.Close()
	ann.sees(t, "(bob has left)")
	ann.keys.Close()
}
