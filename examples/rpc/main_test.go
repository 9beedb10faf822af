package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// program is one of the programs of a test, with what it printed.
type program struct {
	in  *io.PipeWriter
	out strings.Builder
}

// ask gives it a line, or with none ends its input, and waits until nothing more happens.
func (p *program) ask(t *testing.T, line string) {
	t.Helper()
	if line == "" {
		p.in.Close()
	} else if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		t.Error(err)
	}
	synctest.Wait()
}

// TestFanOut has three programs, one of which is cut off, and a member that does not know
// the call.
func TestFanOut(t *testing.T) {
	folders := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	for i, name := range []string{"one.txt", "two.txt", "three.txt"} {
		if err := os.WriteFile(filepath.Join(folders[i], name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bubble.Test(t, func(t *testing.T) {
		network := mem.NewNetwork(mem.Config{})
		options := func(host string) []group.Option {
			c := network.Node(host).Config()
			return []group.Option{group.WithTransport(c.Sender, c.Receiver), group.WithMembership(c.Membership)}
		}
		var running sync.WaitGroup
		var programs []*program
		for i, host := range []string{"a", "b", "c"} {
			in, lines := io.Pipe()
			p := &program{in: lines}
			programs = append(programs, p)
			running.Go(func() { // ends with its input
				if err := run(context.Background(), folders[i], in, &p.out, options(host)...); err != nil {
					t.Errorf("%s: %v", host, err)
				}
			})
		}
		stranger, err := group.New(options("d")...)
		if err != nil {
			t.Fatal(err)
		}
		if err := stranger.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // all have met

		a := programs[0]
		a.ask(t, "*.txt")
		wantLines(t, &a.out, `["one.txt"]`, `["two.txt"]`, `["three.txt"]`, "no handler")
		a.ask(t, "[")
		wantLines(t, &a.out, "syntax error", "syntax error", "syntax error", "no handler")
		network.Isolate("c")
		a.ask(t, "t*")
		time.Sleep(patience) // virtual
		synctest.Wait()
		wantLines(t, &a.out, "[]", `["two.txt"]`, "timed out", "no handler")

		network.Heal()
		for _, p := range programs {
			p.ask(t, "")
		}
		running.Wait()
		if err := stranger.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// wantLines wants one line with each of the parts, in any order, and no others. It takes
// what was printed.
func wantLines(t *testing.T, out *strings.Builder, parts ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	out.Reset()
	if len(lines) != len(parts) {
		t.Errorf("printed %q, want %d lines", lines, len(parts))
	}
	for _, part := range parts {
		at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, part) })
		if at < 0 {
			t.Errorf("no line with %s is left of what was printed: %q", part, lines)
			continue
		}
		lines = slices.Delete(lines, at, at+1)
	}
}
