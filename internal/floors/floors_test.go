package floors

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/gotribes/tribes"

// floorOf says on which floor a package of the module stands; subdirectories
// without an entry of their own stand where their parent does.
var floorOf = map[string]int{
	"internal/wire":       -1,
	"internal/javaser":    -1,
	"internal/leak":       -1,
	"internal/floors":     -1,
	"membership":          0,
	"message":             1,
	"channel":             2,
	"interceptor":         3,
	"transport/nio":       3,
	"transport/mem":       3,
	"membership/mcast":    3,
	"membership/static":   3,
	"group":               4,
	"replmap":             5,
	"session":             6,
	"cmd/tribes-demo":     7,
	"bench":               7,
	"examples":            7,
	"interop":             7,
	"channel/channeltest": 3,
}

// suites are the packages with shared tests. They may use what stands on their
// floor, and only tests may import them.
var suites = map[string]bool{
	"transport/transporttest":     true,
	"membership/membershiptest":   true,
	"interceptor/interceptortest": true,
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		if suites[from] {
			continue
		}
		own, ok := floor(from)
		if !ok {
			t.Errorf("package %s stands on no floor: add it to floorOf", from)
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			if suites[to] {
				t.Errorf("%s imports the test suite %s outside of its tests", from, to)
				continue
			}
			if target, _ := floor(to); target >= own && !within(from, to) {
				t.Errorf("%s (floor %d) imports %s (floor %d)", from, own, to, target)
			}
		}
	}
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// floor finds the entry of pkg or of its nearest parent that has one.
func floor(pkg string) (int, bool) {
	for {
		if f, ok := floorOf[pkg]; ok {
			return f, true
		}
		i := strings.LastIndexByte(pkg, '/')
		if i < 0 {
			return 0, false
		}
		pkg = pkg[:i]
	}
}

// within reports whether one of the packages is part of the other.
func within(a, b string) bool {
	return strings.HasPrefix(a, b+"/internal/") || strings.HasPrefix(b, a+"/internal/")
}
