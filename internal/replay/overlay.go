package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tag is the build tag of a program that replays.
const Tag = "replay"

// Overlay writes the changed files of the runtime into dir, and what the flag -overlay of
// the go command takes, whose name it returns. More are other files to be replaced, by
// their names; values are the names of those that take their place. The program is to be
// built with [Tag], by the go command that is found in the directory of this process. It
// fails if the runtime of that Go release is not as expected.
func Overlay(dir string, more map[string]string) (string, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("replay: go env GOROOT: %w", err)
	}
	replace, err := files(filepath.Join(strings.TrimSpace(string(goroot)), "src", "runtime"), dir)
	if err != nil {
		return "", fmt.Errorf("replay: %w", err)
	}
	maps.Copy(replace, more)
	list, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("replay: %w", err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		return "", fmt.Errorf("replay: %w", err)
	}
	return name, nil
}

// files writes the files of the runtime, changed, into dir, and returns their names by the
// names of those whose place they take.
func files(runtime, dir string) (map[string]string, error) {
	replace := make(map[string]string)
	put := func(file, text string) error {
		to := filepath.Join(dir, "runtime_"+file)
		replace[filepath.Join(runtime, file)] = to
		return os.WriteFile(to, []byte(text), 0o600)
	}
	for _, e := range edits {
		if replace[filepath.Join(runtime, e.file)] != "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(runtime, e.file))
		if err != nil {
			return nil, err
		}
		changed, err := change(e.file, string(text))
		if err != nil {
			return nil, err
		}
		if err := put(e.file, changed); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(filepath.Join(runtime, "replay.go")); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the runtime has a file replay.go: %v", err)
	}
	return replace, put("replay.go", chance)
}
