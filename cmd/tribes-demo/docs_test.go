package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	commandLine = regexp.MustCompile("(?s:tribes-demo ([a-z]+)((?:\\s+-[^`&|)#\\n]+)?))")
	flagOf      = regexp.MustCompile(`(?:^|\s)-([a-z][a-z-]*)`)
)

// TestDocumentsNameFlagsThatExist: each command line in a document is one of this program.
func TestDocumentsNameFlagsThatExist(t *testing.T) {
	root := filepath.Join("..", "..")
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines, flags := 0, 0
	for _, name := range append(files, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range commandLine.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(commands, " "+m[1]+" ") { // words of a sentence
				if m[2] != "" {
					t.Errorf("%s: %q: there is no such subcommand", name, m[0])
				}
				continue
			}
			lines++
			help := helpOf(t, m[1])
			for _, f := range flagOf.FindAllStringSubmatch(m[2], -1) {
				if flags++; !strings.Contains(help, "\n  -"+f[1]) {
					t.Errorf("%s: %q: there is no -%s", name, m[0], f[1])
				}
			}
		}
	}
	if lines < 15 || flags < 10 {
		t.Errorf("found %d command lines with %d flags only", lines, flags)
	}
}

const commands = " node web store decode config doctor schema "

func helpOf(t *testing.T, command string) string {
	t.Helper()
	var out, errs strings.Builder
	if status := run(t.Context(), []string{command, "-h"}, strings.NewReader(""), &out, &errs); status != 0 {
		t.Fatalf("%s -h: status %d, %s", command, status, &errs)
	}
	return out.String()
}
