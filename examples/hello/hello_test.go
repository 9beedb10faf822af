package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestReadmeShowsThisProgram keeps the README's first example the program that
// is compiled and run here.
func TestReadmeShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	block, _, found := strings.Cut(rest, "```")
	if !found || block != string(program) {
		t.Errorf("the first example of README.md is not examples/hello/main.go")
	}
}

func TestTwoOfThemGreetEachOther(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "hello")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var lines []*bufio.Reader
	var programs []*exec.Cmd
	for range 2 {
		cmd := exec.CommandContext(ctx, bin)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		programs, lines = append(programs, cmd), append(lines, bufio.NewReader(out))
	}
	for i, r := range lines {
		if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, `says "hello"`) {
			t.Errorf("program %d printed %q, %v", i, line, err)
		}
	}
	for i, cmd := range programs {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, lines[i]); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("program %d: %v", i, err)
		}
	}
}
