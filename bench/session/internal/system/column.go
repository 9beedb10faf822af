package system

import (
	"fmt"
	"strings"
)

// Column is a store with its settings, under a name of its own in the tables.
type Column struct {
	Name   string
	Driver string // tribes, tomcat or scs
	Opts   Opts
	// Alone names the column that is the same without replication; "" if this one is.
	Alone string
}

// Replicated tells whether other nodes have the sessions too.
func (c Column) Replicated() bool { return c.Alone != "" }

// Elsewhere tells whether the sessions are in a store beside the nodes and nowhere else
// for good.
func (c Column) Elsewhere() bool {
	m, store := c.Opts["manager"], c.Opts["store"]
	return m == "persistent" || m == "client" || m == "" && store != "" && store != "memory"
}

// Beside is what keeps the sessions beside the nodes and can be killed; "" is nothing.
func (c Column) Beside() string {
	if c.Opts["manager"] == "client" {
		return "one of two store nodes"
	}
	if _, ok := databases[c.Opts["store"]]; ok {
		return c.Opts["store"]
	}
	return ""
}

// Copies is on how many nodes, at least, a session is; 0 stands for all of them.
func (c Column) Copies() int {
	if c.Opts["manager"] == "backup" {
		return 2
	}
	return 0
}

// Opts are a driver's settings by name.
type Opts map[string]string

// or returns a setting, or what it is without one.
func (o Opts) or(name, unset string) string {
	if v, ok := o[name]; ok {
		return v
	}
	return unset
}

// Columns are all that have a name. The first is what ratios refer to.
func Columns() []Column {
	all := []Column{
		{"tomcat-sync", "tomcat", Opts{"options": "6"}, "tomcat-alone"},
		{"tomcat-async", "tomcat", Opts{"options": "8"}, "tomcat-alone"},
		{"tomcat-ack", "tomcat", Opts{"options": "2"}, "tomcat-alone"},
		{"tomcat-noack", "tomcat", Opts{"options": "0"}, "tomcat-alone"},
		{"tomcat-sync-pool1", "tomcat", Opts{"options": "6", "pool": "1"}, "tomcat-alone"},
		{"tomcat-noack-pool1", "tomcat", Opts{"options": "0", "pool": "1"}, "tomcat-alone"},
		{"tomcat-sync-chunk", "tomcat", Opts{"options": "6", "chunk": "1000"}, "tomcat-alone"},
		{"tomcat-backup", "tomcat", Opts{"options": "6", "manager": "backup"}, "tomcat-alone"},
		{"tomcat-file", "tomcat", Opts{"store": "file"}, "tomcat-alone"},
		{"tomcat-postgres", "tomcat", Opts{"store": "postgres"}, "tomcat-alone"},
		{"tomcat-alone", "tomcat", nil, ""},
		{"scs-redis", "scs", Opts{"store": "redis"}, "scs-memory"},
		{"scs-postgres", "scs", Opts{"store": "postgres"}, "scs-memory"},
		{"scs-memory", "scs", Opts{"store": "memory"}, ""},
	}
	for _, manager := range []string{"delta", "full"} {
		for _, wait := range []string{"all", "one", "written", "none"} {
			all = append(all, Column{"tribes-" + manager + "-" + wait, "tribes",
				Opts{"manager": manager, "wait": wait}, "tribes-local"})
		}
	}
	for _, wait := range []string{"all", "one"} {
		all = append(all, Column{"tribes-backup-" + wait, "tribes", Opts{"manager": "backup", "wait": wait}, "tribes-local"})
	}
	for _, store := range []string{"file", "redis", "postgres", "mariadb", "memcached"} {
		all = append(all, Column{"tribes-" + store, "tribes", Opts{"manager": "persistent", "wait": "all", "store": store}, "tribes-local"})
	}
	all = append(all, Column{"tribes-redis-aof", "tribes", Opts{"manager": "persistent", "wait": "all", "store": "redis", "aof": "always"}, "tribes-local"})
	for _, store := range []string{"file", "postgres"} {
		all = append(all, Column{"tribes-delta-" + store, "tribes", Opts{"manager": "delta", "wait": "all", "store": store}, "tribes-local"})
	}
	return append(all,
		Column{"tribes-client", "tribes", Opts{"manager": "client", "wait": "all"}, "tribes-local"},
		Column{"tribes-local", "tribes", Opts{"manager": "local"}, ""})
}

// Sets are names for several columns. The article of 2004 compared whole sessions and
// changes, on one connection and on a pool, with an acknowledgement and without, and
// asynchronous; a Tomcat of today sends no whole sessions, and nodes of this module have
// one connection that all requests share. The stores are those where not every node has
// all sessions.
var Sets = map[string]string{
	"article": "tomcat-sync-pool1,tomcat-noack-pool1,tomcat-sync,tomcat-noack,tomcat-async,tomcat-alone," +
		"tribes-full-all,tribes-full-written,tribes-full-none,tribes-delta-all,tribes-delta-written,tribes-delta-none,tribes-local",
	"stores": "tomcat-backup,tomcat-file,tomcat-postgres,tomcat-alone,scs-redis,scs-postgres,scs-memory," +
		"tribes-backup-all,tribes-backup-one,tribes-file,tribes-redis,tribes-postgres,tribes-mariadb,tribes-memcached," +
		"tribes-delta-file,tribes-delta-postgres,tribes-client,tribes-local",
}

// Choose returns the columns of the names in list, which commas separate, in its order;
// list may be the name of a set.
func Choose(all []Column, list string) ([]Column, error) {
	if set, ok := Sets[list]; ok {
		list = set
	}
	var chosen []Column
	for name := range strings.SplitSeq(list, ",") {
		n := len(chosen)
		for _, c := range all {
			if c.Name == name {
				chosen = append(chosen, c)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("no column %q", name)
		}
	}
	return chosen, nil
}
