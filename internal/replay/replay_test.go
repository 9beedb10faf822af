package replay

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// The edits fit the Go release that is installed; that they do what they are for is in
// package simulation, with the tag replay.
func TestEditsFit(t *testing.T) {
	known(t)
	if _, err := Overlay(t.TempDir(), nil); err != nil {
		t.Fatal(err)
	}
}

// known skips a test where the Go release is one that the edits are not made for; that
// nothing replays with it is an error of whoever asks for a replay.
func known(t *testing.T) {
	t.Helper()
	if !strings.HasPrefix(runtime.Version(), "go1.26") {
		t.Skipf("the edits are for Go 1.26, this is %s", runtime.Version())
	}
}

// The runtime of another release is refused with the line that is not there.
func TestOtherRelease(t *testing.T) {
	src, dir := t.TempDir(), t.TempDir()
	if _, err := files(src, dir); err == nil {
		t.Error("a runtime without files is taken")
	}
	for _, e := range edits {
		write(t, filepath.Join(src, e.file), "package runtime\n")
	}
	_, err := files(src, dir)
	if err == nil || !strings.Contains(err.Error(), edits[0].file) || !strings.Contains(err.Error(), "0 times") {
		t.Errorf("a runtime with none of the lines: %v", err)
	}
	var all strings.Builder
	for _, e := range edits {
		all.WriteString(e.old)
	}
	for _, e := range edits {
		write(t, filepath.Join(src, e.file), all.String())
	}
	if _, err := files(src, dir); err != nil {
		t.Errorf("a runtime with each line once: %v", err)
	}
	write(t, filepath.Join(src, "proc.go"), all.String()+all.String())
	if _, err := files(src, dir); err == nil || !strings.Contains(err.Error(), "2 times") {
		t.Errorf("a runtime with lines twice: %v", err)
	}
	write(t, filepath.Join(src, "proc.go"), all.String())
	write(t, filepath.Join(src, "replay.go"), "package runtime\n")
	if _, err := files(src, dir); err == nil {
		t.Error("a file of the runtime is lost")
	}
}

// Other files may be replaced in the same build.
func TestMore(t *testing.T) {
	known(t)
	dir := t.TempDir()
	name, err := Overlay(dir, map[string]string{"/x/y.go": "/z.go"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"/x/y.go":"/z.go"`, "select.go", "replay.go"} {
		if !strings.Contains(string(list), want) {
			t.Errorf("no %s in %s", want, list)
		}
	}
}

// What is written is Go.
func TestFormat(t *testing.T) {
	known(t)
	dir := t.TempDir()
	if _, err := Overlay(dir, nil); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) < 2 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		formatted, err := format.Source(text)
		if err != nil || !bytes.Equal(formatted, text) {
			t.Errorf("%s: not formatted, or %v", name, err)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
