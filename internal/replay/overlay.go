package replay

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Tags are the build tags of a program that replays.
const Tags = "replay"

// Files writes the changed files of the runtime of goroot into dir. It returns their
// names by the names of those whose place they take, which is what an overlay of the go
// command lists. It fails if the runtime is not as expected, as in another Go release.
func Files(goroot, dir string) (map[string]string, error) {
	replace := make(map[string]string)
	put := func(file, text string) error {
		to := filepath.Join(dir, "runtime_"+file)
		replace[filepath.Join(goroot, "src", "runtime", file)] = to
		return os.WriteFile(to, []byte(text), 0o600)
	}
	for _, e := range edits {
		from := filepath.Join(goroot, "src", "runtime", e.file)
		if replace[from] != "" {
			continue
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
		changed, err := change(e.file, string(text))
		if err != nil {
			return nil, fmt.Errorf("replay: cannot use the Go release in %s: %w", goroot, err)
		}
		if err := put(e.file, changed); err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
	}
	if err := put("replay.go", chance); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	return replace, nil
}

// Overlay writes the list of what takes whose place into dir and returns its name, for
// the flag -overlay of the go command.
func Overlay(dir string, replace map[string]string) (string, error) {
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
