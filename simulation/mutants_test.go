//go:build mutants

package simulation

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each planted fault is found. The tests of the layers would find them too; this asks
// whether the simulation looks.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			overlay := plant(t, root, m)
			cmd := exec.Command("go", "test", "-overlay", overlay, "-count=1", "-failfast", "-timeout", "3m", "-run", "^TestSimulation$", ".")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("all seeds passed:\n%s", out)
			}
			if !strings.Contains(string(out), "--- FAIL: TestSimulation/seed") || !regexp.MustCompile(m.says).Match(out) {
				t.Errorf("%v, without saying %q:\n%.3000s", err, m.says, out)
			}
			seed := regexp.MustCompile(`FAIL: TestSimulation/seed_(\d+)`).FindSubmatch(out)
			t.Logf("found by seed %s", seed[1:])
		})
	}
}

// plant writes a mutant of a file and the overlay that puts it into a build.
func plant(t *testing.T, root string, m mutant) string {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(m.file))
	text := m.text(t, root)
	dir := t.TempDir()
	changed := filepath.Join(dir, "mutant.go")
	overlay := filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{changed: []byte(strings.Replace(text, m.old, m.new, 1)), overlay: list} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(fmt.Errorf("mutant: %w", err))
		}
	}
	return overlay
}
