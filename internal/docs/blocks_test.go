package docs

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// imports are the packages that blocks of Go in documents use, by their names.
var imports = []string{
	"context", "crypto/rand", "database/sql", "errors", "fmt", "io", "log/slog", "net/http", "os", "testing", "time",
	"github.com/gotribes/tribes/group", "github.com/gotribes/tribes/replmap", "github.com/gotribes/tribes/session",
	"github.com/gotribes/tribes/session/sessiontest", "github.com/gotribes/tribes/session/store",
	"github.com/gotribes/tribes/session/store/filestore", "github.com/gotribes/tribes/session/store/sqlstore",
}

// around is what blocks take for granted.
const around = `
type Cart struct{ Items []string }

var (
	ctx      context.Context
	err      error
	g        *group.Group
	logger   *slog.Logger
	mux      *http.ServeMux
	app      http.Handler
	server   *http.Server
	sessions *session.Manager
	s        *session.Session
	w        http.ResponseWriter
	r        *http.Request
	db       *sql.DB
	turn     time.Duration
	route    string
	item     string
	cart     session.Key[Cart]
)

func open(t testing.TB, dir string) store.Store { return nil }
`

// TestBlocksOfGoCompile: what a document shows is what a program can say. Blocks that are
// programs are the business of the examples that they are copies of.
func TestBlocksOfGoCompile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	set, from := token.NewFileSet(), compiled(t)
	n := 0
	for _, name := range append(files, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks(string(text)) {
			if strings.HasPrefix(b.text, "package ") {
				continue
			}
			n++
			for _, err := range check(set, from, b.text) {
				t.Errorf("%s: the block in line %d: %v", name, b.line, err)
			}
		}
	}
	if n < 10 {
		t.Errorf("found %d blocks, want at least 10: do they begin with ```go?", n)
	}
}

// TestWrongBlocksAreFound: the check is one.
func TestWrongBlocksAreFound(t *testing.T) {
	set, from := token.NewFileSet(), compiled(t)
	for text, wrong := range map[string]bool{
		"x := session.Config{Route: route}":        false,
		"...\nerr = sessions.Start(ctx)":           false,
		"func f() {}":                              false,
		"x := session.Config{Rout: route}":         true,
		"err = sessions.Launch(ctx)":               true,
		"if {":                                     true,
		"err := g.Start(ctx)\nerr := g.Start(ctx)": true,
	} {
		if got := check(set, from, text); (len(got) > 0) != wrong {
			t.Errorf("%q: %v, want errors: %v", text, got, wrong)
		}
	}
}

type block struct {
	line int
	text string
}

// blocks are those of Go in a document.
func blocks(doc string) (all []block) {
	var b *block
	line := 0
	for text := range strings.Lines(doc) {
		line++
		switch {
		case b == nil && text == "```go\n":
			b = &block{line: line}
		case b != nil && text == "```\n":
			all, b = append(all, *b), nil
		case b != nil:
			b.text += text
		}
	}
	return all
}

// check type-checks a block: declarations as they are, statements in a function. Variables
// that are not used are no mistake in a document, nor is a line of dots.
func check(set *token.FileSet, from types.Importer, text string) (errs []error) {
	var source bytes.Buffer
	fmt.Fprintln(&source, "package block")
	for _, path := range imports {
		fmt.Fprintf(&source, "import %q\n", path)
	}
	source.WriteString(around)
	decls := strings.HasPrefix(text, "func ") || strings.HasPrefix(text, "type ")
	if !decls {
		source.WriteString("func block() {\n")
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); line == "..." || strings.HasPrefix(line, "import _ ") {
			line = ""
		}
		fmt.Fprintln(&source, line)
	}
	if !decls {
		source.WriteString("}\n")
	}
	file, err := parser.ParseFile(set, "block.go", source.Bytes(), 0)
	if err != nil {
		return []error{err}
	}
	config := types.Config{Importer: from, Error: func(err error) {
		if !strings.HasSuffix(err.Error(), "and not used") && !strings.Contains(err.Error(), "declared and not used: ") {
			errs = append(errs, err)
		}
	}}
	config.Check("block", set, []*ast.File{file}, nil) // its error is the first of those above
	return errs
}

// compiled imports packages from what the go command has built.
func compiled(t *testing.T) types.Importer {
	t.Helper()
	out, err := built()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
}

// built has the go command build the packages, once.
var built = sync.OnceValues(func() ([]byte, error) {
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, imports...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	return cmd.Output()
})
