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

// Where sessions are decides what is to be expected of nodes.
func TestWhereSessionsAre(t *testing.T) {
	for list, want := range map[string]struct {
		elsewhere bool
		copies    int
		beside    bool
	}{
		"tomcat-sync,tomcat-alone,scs-memory,tribes-delta-all,tribes-full-one,tribes-delta-file,tribes-local": {},
		"tomcat-backup,tribes-backup-all,tribes-backup-one":                                                   {copies: 2},
		"tomcat-file,tribes-file": {elsewhere: true},
		"tribes-delta-postgres":   {beside: true},
		"tomcat-postgres,scs-redis,scs-postgres,tribes-redis,tribes-redis-aof,tribes-postgres,tribes-mariadb,tribes-memcached,tribes-client": {elsewhere: true, beside: true},
	} {
		columns, err := Choose(Columns(), list)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range columns {
			if c.Elsewhere() != want.elsewhere || c.Copies() != want.copies || (c.Beside() != "") != want.beside {
				t.Errorf("%s: elsewhere %t, %d copies, beside the nodes %q", c.Name, c.Elsewhere(), c.Copies(), c.Beside())
			}
			if databases := len(needs(c, false)); (databases > 0) != want.beside {
				t.Errorf("%s needs %d services", c.Name, databases)
			}
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
