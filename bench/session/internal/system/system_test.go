package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gotribes/tribes/bench/session/peers/tomcat"
	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestEachColumnHasItsUnreplicatedOne(t *testing.T) {
	for _, c := range Columns() {
		if c.Alone == "" {
			continue
		}
		if alone, err := Choose(Columns(), c.Alone); err != nil || alone[0].Replicated() || alone[0].Driver != c.Driver {
			t.Errorf("%s: %v, %v", c.Name, alone, err)
		}
	}
}

func TestSets(t *testing.T) {
	for name, list := range Sets {
		if c, err := Choose(Columns(), name); err != nil || len(c) != strings.Count(list, ",")+1 {
			t.Errorf("%s: %d columns, %v", name, len(c), err)
		}
	}
}

func TestMissingPrograms(t *testing.T) {
	k := Kit{Demo: "/no/such/demo", Build: t.TempDir()}
	for _, c := range Columns() {
		if err := k.Missing(c); err == nil {
			t.Errorf("%s is there", c.Name)
		}
	}
}

// No mark is left in what a Tomcat node gets.
func TestTomcatFolder(t *testing.T) {
	for _, clustered := range []bool{false, true} {
		dir := t.TempDir()
		v := tomcat.Values{}
		for _, mark := range []string{"ROUTE", "IP", "HTTP", "CHANNEL", "MCAST", "OPTS", "POOL", "BINDER", "MANAGER", "CONTEXT"} {
			v[mark] = "value"
		}
		if err := tomcat.Write(dir, clustered, v); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "conf/server.xml"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "@") || strings.Contains(string(b), "<Cluster") != clustered {
			t.Errorf("clustered %t:\n%s", clustered, b)
		}
	}
}
