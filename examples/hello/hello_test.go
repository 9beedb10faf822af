package main

import (
	"os"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/internal/proctest"
)

func TestMain(m *testing.M) { leak.Main(m) }

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
