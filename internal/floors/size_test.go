package floors

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The largest sizes, in lines.
const (
	maxFile     = 400
	maxFunction = 60
)

// A file has one idea and a function fits on a screen.
func TestSizes(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			files++
			return checkSizes(t, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("found %d files only", files)
	}
}

// checkSizes reports a file that is too long, and functions of it that are.
func checkSizes(t *testing.T, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if n := bytes.Count(text, []byte("\n")); n > maxFile {
		t.Errorf("%s has %d lines, want at most %d", name, n, maxFile)
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, 0)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; n > maxFunction {
			t.Errorf("%s: %s has %d lines, want at most %d", set.Position(fn.Pos()), fn.Name.Name, n, maxFunction)
		}
	}
	return nil
}
