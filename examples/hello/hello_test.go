package main

import (
	"os"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/internal/proctest"
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
	bin := proctest.Build(t)
	programs := []*proctest.Process{proctest.Start(t, nil, bin), proctest.Start(t, nil, bin)}
	for _, p := range programs {
		p.Out.Line(`says "hello"`)
	}
	for _, p := range programs {
		p.Signal(os.Interrupt)
		p.Ended()
	}
}
