//go:build mutants

package simulation

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/replay"
)

// Each planted fault is found. The tests of the layers would find them too; this asks
// whether the simulation looks. All are in one program, which is told which of them to
// have. It replays, so that the seed that finds a fault finds it again in the same way.
func TestMutants(t *testing.T) {
	program := filepath.Join(t.TempDir(), "simulation.test")
	build := exec.Command("go", "test", "-c", "-o", program, "-tags", replay.Tag, "-overlay", plant(t), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(fault string, args ...string) (string, error) {
		cmd := exec.Command(program, append(args, "-test.v", "-test.run", "^TestSimulation$", "-test.failfast", "-test.timeout", "3m")...)
		cmd.Env = append(os.Environ(), variable+"="+fault)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("", "-simulation.seeds", "9"); err != nil {
		t.Fatalf("with no fault: %v\n%s", err, out)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			out, err := run(m.name, "-simulation.seed", fmt.Sprint(m.seed))
			if err == nil {
				out, err = run(m.name, "-simulation.seeds", "200")
			}
			if err == nil {
				t.Fatalf("all seeds passed:\n%s", out)
			}
			if !regexp.MustCompile(m.says).MatchString(out) {
				t.Errorf("%v, without saying %q:\n%s", err, m.says, out[max(0, len(out)-3000):])
			}
			if !strings.Contains(out, "go run ./simulation/replay") {
				t.Error("it does not say how it is replayed")
			}
			seed := lastSeed(t, out)
			t.Logf("found by seed %s, of %d the first that was tried", seed, m.seed)
			if again, _ := run(m.name, "-simulation.seed", seed); what(again) != what(out) {
				t.Errorf("another failure when it is replayed:\n%s\nand\n%s", what(out), what(again))
			}
		})
	}
}

// lastSeed returns the seed that a process ran last.
func lastSeed(t *testing.T, out string) string {
	t.Helper()
	seeds := regexp.MustCompile(`RUN +TestSimulation/seed_(\d+)`).FindAllStringSubmatch(out, -1)
	if seeds == nil {
		t.Fatalf("no seed in %s", out)
	}
	return seeds[len(seeds)-1][1]
}

// what returns how the last seed of a process failed, with the hash of its trace.
func what(out string) string {
	out = out[strings.LastIndex(out, "=== RUN"):]
	lines := regexp.MustCompile(`(?m)^(panic: .*|    \w+_test\.go:\d+: .*|    seeded\.go:\d+: replay .*)$`).FindAllString(out, -1)
	if lines == nil {
		return "nothing is said in " + out // which is never the same, for its times
	}
	return strings.Join(lines, "\n")
}

// variable names the planted fault that a process has.
const variable = "TRIBES_PLANTED"

// plant writes the files with all mutants in them, and the overlay that puts them into a
// build.
func plant(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	texts := make(map[string]string) // by the name in the module
	for _, m := range mutants {
		if texts[m.file] == "" {
			texts[m.file] = m.text(t, root)
		}
		here := fmt.Sprintf("(planted == %q)", m.name)
		texts[m.file] = strings.Replace(texts[m.file], m.old, strings.ReplaceAll(m.new, "PLANTED", here), 1)
		own := path.Join(path.Dir(m.file), "planted.go")
		texts[own] = fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar planted = os.Getenv(%q)\n", path.Base(path.Dir(m.file)), variable)
	}
	replace := make(map[string]string)
	for name, text := range texts {
		changed := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		replace[filepath.Join(root, filepath.FromSlash(name))] = changed
		write(t, changed, []byte(text))
	}
	overlay, err := replay.Overlay(dir, replace)
	if err != nil {
		t.Fatal(err)
	}
	return overlay
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
