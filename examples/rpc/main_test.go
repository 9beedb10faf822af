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
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestFanOut has three programs, one of which is cut off, and a member that does not know
// the call.
func TestFanOut(t *testing.T) {
	folders := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	for i, name := range []string{"one.txt", "two.txt", "three.txt"} {
		if err := os.WriteFile(filepath.Join(folders[i], name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		network := mem.NewNetwork(mem.Config{})
		options := func(host string) []group.Option {
			c := network.Node(host).Config()
			return []group.Option{group.WithTransport(c.Sender, c.Receiver), group.WithMembership(c.Membership)}
		}
		var programs sync.WaitGroup
		program := func(host, dir string) (ask func(string), output *strings.Builder) {
			in, lines := io.Pipe()
			t.Cleanup(func() { lines.Close() })
			out := new(strings.Builder)
			programs.Go(func() { // ends with its input
				if err := run(context.Background(), dir, in, out, options(host)...); err != nil {
					t.Errorf("%s: %v", host, err)
				}
			})
			return func(line string) {
				if line == "" {
					lines.Close()
				} else if _, err := io.WriteString(lines, line+"\n"); err != nil {
					t.Error(err)
				}
				synctest.Wait()
			}, out
		}
		askA, outA := program("a", folders[0])
		askB, _ := program("b", folders[1])
		askC, _ := program("c", folders[2])
		stranger, err := group.New(options("d")...)
		if err != nil {
			t.Fatal(err)
		}
		if err := stranger.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := stranger.WaitMembers(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		askA("*.txt")
		wantLines(t, outA, `["one.txt"]`, `["two.txt"]`, `["three.txt"]`, "no handler")
		askA("[")
		wantLines(t, outA, "syntax error", "syntax error", "syntax error", "no handler")
		network.Isolate("c")
		askA("t*")
		time.Sleep(patience) // virtual
		synctest.Wait()
		wantLines(t, outA, "[]", `["two.txt"]`, "timed out", "no handler")

		network.Heal()
		for _, ask := range []func(string){askA, askB, askC} {
			ask("")
		}
		programs.Wait()
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
