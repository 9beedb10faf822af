package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestWrongCommandLines(t *testing.T) {
	for _, line := range []string{"-columns x", "-w x", "-nodes 0", "-nodes 2,x", "-repeat 0", "-win 0s", "-think -1s", "-net moon",
		"-nonsense", "more", "failure -columns x", "failure -scenarios x", "failure -rate -1", "failure -repeat 0", "failure -balancer x", "failure -balancer own -scenarios join", "failure -net loopback -scenarios cut", "failure more",
		"memory -columns x", "memory -sizes 0", "memory -sizes x", "memory -sessions 0", "memory -nodes 0", "memory more"} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(line), &out, &errs); code != 2 {
			t.Errorf("%s: status %d", line, code)
		}
		if out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s: printed %q and %q", line, out.String(), errs.String())
		}
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"-h", "failure -h", "memory -h"} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(line), &out, &errs); code != 0 || errs.Len() > 0 || !strings.HasPrefix(out.String(), "usage: session") {
			t.Errorf("%s: status %d, printed %q and %q", line, code, out.String(), errs.String())
		}
	}
}
