package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// documents name tests as `package TestName`, with the directory of the package.
var documents = []string{"docs/guarantees.md", "docs/from-tomcat.md"}

var named = regexp.MustCompile("`([a-z/-]+) (Test\\w+|Fuzz\\w+)`")

func TestNamedTestsExist(t *testing.T) {
	exist := tests(t)
	for _, doc := range documents {
		text, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			t.Fatal(err)
		}
		found := named.FindAllStringSubmatch(string(text), -1)
		if len(found) < 20 {
			t.Errorf("%s names %d tests, want at least 20: is the form `package TestName`?", doc, len(found))
		}
		for _, m := range found {
			if !exist[m[1]+" "+m[2]] {
				t.Errorf("%s names %s in %s, which does not exist", doc, m[2], m[1])
			}
		}
	}
}

// The programs that the README shows are those that are compiled and run.
func TestReadmeShowsPrograms(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ title, program string }{
		{"# tribes", "examples/hello/main.go"},
		{"## Sessions on several nodes", "examples/sessions/main.go"},
	} {
		program, err := os.ReadFile(filepath.Join(root, tt.program))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut("\n"+string(readme), "\n"+tt.title+"\n")
		_, rest, _ = strings.Cut(rest, "```go\n")
		if block, _, found := strings.Cut(rest, "```"); !found || block != string(program) {
			t.Errorf("the program under %q in README.md is not %s", tt.title, tt.program)
		}
	}
}

var declared = regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`)

// tests lists the tests of the repository as "package TestName".
func tests(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			all[filepath.ToSlash(pkg)+" "+m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
