package main

import (
	"bufio"
	"context"
	"fmt"
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

// program is one run, with what it is told and what it says.
type program struct {
	in   io.WriteCloser
	said *bufio.Scanner
}

func start(ctx context.Context, t *testing.T, all *sync.WaitGroup, network *mem.Network, host string, backups int) *program {
	t.Helper()
	node := network.Node(host).Config()
	in, tell := io.Pipe()
	hear, out := io.Pipe()
	all.Go(func() {
		err := run(ctx, in, out, backups, group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership))
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
		out.Close()
	})
	return &program{tell, bufio.NewScanner(hear)}
}

// await reads until a line begins like that.
func (p *program) await(t *testing.T, begin string) {
	t.Helper()
	for p.said.Scan() {
		if strings.HasPrefix(p.said.Text(), begin) {
			return
		}
	}
	t.Fatalf("never said %q", begin)
}

// end ends programs and hears what they have still to say.
func end(all *sync.WaitGroup, programs ...*program) {
	for _, p := range programs {
		all.Go(func() {
			for p.said.Scan() {
			}
		})
		p.in.Close()
	}
	all.Wait()
}

func TestTwoOfThem(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	network := mem.NewNetwork(mem.Config{})
	var all sync.WaitGroup
	a := start(ctx, t, &all, network, "a", 0)
	fmt.Fprintln(a.in, "put color green")
	a.await(t, `added: color "green"`)
	b := start(ctx, t, &all, network, "b", 0)
	b.await(t, `added: color "green"`)
	fmt.Fprintln(b.in, "put color blue")
	b.await(t, `changed: color "blue", was "green"`)
	a.await(t, `changed: color "blue", was "green"`)
	fmt.Fprintln(a.in, "add n")
	b.await(t, `added: n "1"`)
	a.await(t, `added: n "1"`)
	fmt.Fprintln(b.in, "add n")
	b.await(t, `changed: n "2"`)
	a.await(t, `changed: n "2"`)
	fmt.Fprintln(a.in, "put short lived 1")
	for _, p := range []*program{a, b} {
		p.await(t, "added: short")
		p.await(t, "expired: short")
	}
	fmt.Fprintln(a.in, "nonsense")
	a.await(t, "error: want put")
	fmt.Fprintln(a.in, "delete color")
	b.await(t, "removed: color")
	a.await(t, "removed: color")
	fmt.Fprintln(a.in, "all")
	a.await(t, `n is "2"`)
	end(&all, a, b)
}

func TestBackups(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	network := mem.NewNetwork(mem.Config{})
	var all sync.WaitGroup
	var programs []*program
	for _, host := range []string{"a", "b", "c"} {
		p := start(ctx, t, &all, network, host, 1)
		fmt.Fprintln(p.in, "put", host, "x")
		p.await(t, "added: "+host)
		programs = append(programs, p)
	}
	for _, p := range programs {
		fmt.Fprintln(p.in, "get a")
		p.await(t, `a is "x", kept by`)
	}
	end(&all, programs...)
}
