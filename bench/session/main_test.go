package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestWrongCommandLines(t *testing.T) {
	for _, line := range []string{"-columns x", "-w x", "-nodes 0", "-nodes 2,x", "-repeat 0", "-win 0s", "-think -1s", "-net moon",
		"-nonsense", "more", "failure -columns x", "failure -scenarios x", "failure -rate -1", "failure -repeat 0", "failure -balancer x", "failure -balancer own -scenarios join", "failure -net loopback -scenarios cut", "failure more",
		"memory -columns x", "memory -sizes 0", "memory -sizes x", "memory -sessions 0", "memory -nodes 0", "memory more",
		"plot", "plot more"} {
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
	for _, line := range []string{"-h", "failure -h", "memory -h", "plot -h"} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(line), &out, &errs); code != 0 || errs.Len() > 0 || !strings.HasPrefix(out.String(), "usage: session") {
			t.Errorf("%s: status %d, printed %q and %q", line, code, out.String(), errs.String())
		}
	}
}

// Each kind of results becomes pictures with the names of what was measured.
func TestPlot(t *testing.T) {
	dir := t.TempDir()
	var from []string
	for name, text := range map[string]string{
		"compare": `{"machine":"m","results":[
			{"column":"tribes-local","workload":"write","nodes":2,"samples":[{"perSecond":10,"p99Ms":1,"wireBytesPerRequest":-1}]},
			{"column":"tribes-local","workload":"write","nodes":4,"samples":[{"perSecond":20,"p99Ms":1,"wireBytesPerRequest":-1}]}]}`,
		"failure": `{"nodes":3,"load":{"Conns":4,"Before":100000000},"failures":[
			{"scenario":"kill","column":"tribes-delta-all","runs":[{"damageNs":1000,"line":[{"requests":5},{"requests":3,"failed":2,"longestNs":1000000}]}]}]}`,
		"memory": `{"nodes":2,"stock":[{"column":"scs-memory","size":16,"heapPerSession":[300,310]}]}`,
	} {
		from = append(from, filepath.Join(dir, name))
		if err := os.WriteFile(from[len(from)-1], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"plot", "-from", strings.Join(from, ","), "-to", filepath.Join(dir, "to")}, &out, &errs); code != 0 {
		t.Fatalf("status %d: %s", code, errs.String())
	}
	for name, want := range map[string]string{"throughput-2.svg": "tribes-local", "p99-4.svg": "write", "bytes-2.svg": ">-<",
		"nodes.svg": "polyline", "failure-kill.svg": "tribes-delta-all", "memory.svg": "scs-memory"} {
		b, err := os.ReadFile(filepath.Join(dir, "to", name))
		if err != nil || !strings.Contains(string(b), want) || !strings.Contains(out.String(), name) {
			t.Errorf("%s: %v, want one with %q:\n%s", name, err, want, b)
		}
	}
	if code := run([]string{"plot", "-from", from[0] + "," + from[0], "-to", dir}, &out, &errs); code != 1 {
		t.Errorf("status %d for two files whose pictures have one name", code)
	}
	if err := os.WriteFile(from[0], []byte(`{"other":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"plot", "-from", from[0], "-to", dir}, &out, &errs); code != 1 {
		t.Errorf("status %d for a file of another kind", code)
	}
}
