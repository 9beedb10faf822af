package floors

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/gotribes/tribes/"
	root   = "../.."
)

// floorOf says on which floor a package of the module stands; a package
// without an entry of its own stands where its nearest parent does.
var floorOf = map[string]int{
	"internal":                  -1,
	"internal/proctest/servers": 0,

	"membership":        0,
	"message":           1,
	"channel":           2,
	"interceptor":       3,
	"transport":         3,
	"membership/mcast":  3,
	"membership/static": 3,
	"group":             4,
	"internal/peers":    4,

	// The pure parts of sessions stand low: they must know neither transport nor group.
	"session/internal/record":      1,
	"session/internal/sessionwire": 2,
	"session/internal/table":       2,
	"session/internal/stored":      3,
	"session/internal/persist":     4,
	"session/internal/replica":     5,
	"session/internal/mapstore":    6,
	"session/internal/storewire":   2,
	"session/store":                0,
	"session/store/filestore":      1,
	"session/store/sqlstore":       1,
	"contrib/internal/prefix":      0,
	"contrib/internal/storetest":   1,
	"contrib/sqltest":              8,
	"session":                      7,
	"contrib":                      8,

	"replmap/internal/entry":      3,
	"replmap/internal/mapwire":    4,
	"replmap/internal/tribeswire": 4,
	"replmap":                     5,

	"interop":        8,
	"faults":         8,
	"simulation":     8,
	"examples":       8,
	"docs/recipes":   8,
	"bench/internal": 0,
	"bench/harness":  7,
	"bench/drivers":  8,
	"bench/isolate":  8,
	"bench":          9,

	"bench/session/internal/web":         0,
	"bench/session/internal/web/webtest": 1,
	"bench/session/internal/place":       1,
	"bench/session/internal/load":        2,
	"bench/session/peers":                0,
	"bench/session/internal/system":      3,
	"bench/session/internal/failure":     4,
	"bench/session/internal/plot":        0,
	"bench/session/internal/compare":     5,
	"bench/session/internal/stock":       7,
	"bench/session":                      9,

	"cmd/tribes-demo/internal/settings": 7,
	"cmd/tribes-demo/internal/member":   8,
	"cmd/tribes-demo/internal/metrics":  8,
	"cmd/tribes-demo/internal":          9,
	"cmd/tribes-demo/internal/show":     10,
	"cmd/tribes-demo/internal/serve":    10,
	"cmd/tribes-demo":                   11,
}

// suites are the packages with shared tests. They may use what stands on their
// floor, and only tests may import them.
var suites = map[string]bool{
	"transport/transporttest":     true,
	"membership/membershiptest":   true,
	"interceptor/interceptortest": true,
	"session/sessiontest":         true,
}

func TestImportsPointDown(t *testing.T) {
	for from, imports := range packages(t) {
		own, ok := floor(from)
		if !ok {
			t.Errorf("package %s stands on no floor: add it to floorOf", from)
		}
		for to := range imports {
			target, _ := floor(to)
			switch {
			case suites[from]:
			case suites[to]:
				t.Errorf("%s imports the test suite %s outside of its tests", from, to)
			case target >= own:
				t.Errorf("%s (floor %d) imports %s (floor %d)", from, own, to, target)
			}
		}
	}
}

// packages lists the packages of the repository with what they import of it,
// tests aside.
func packages(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := make(map[string]map[string]bool)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		return add(all, filepath.ToSlash(rel), name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < len(floorOf)/2 {
		t.Fatalf("found %d packages only", len(all))
	}
	return all
}

// add notes what a file imports of the module.
func add(all map[string]map[string]bool, pkg, file string) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	if all[pkg] == nil {
		all[pkg] = make(map[string]bool)
	}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if to, ours := strings.CutPrefix(p, module); ours {
			all[pkg][to] = true
		}
	}
	return nil
}

// floor finds the entry of pkg or of its nearest parent that has one.
func floor(pkg string) (int, bool) {
	for ; pkg != "."; pkg = path.Dir(pkg) {
		if f, ok := floorOf[pkg]; ok {
			return f, true
		}
	}
	return 0, false
}
