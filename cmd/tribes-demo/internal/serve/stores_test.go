package serve

import (
	"os"
	"strings"
	"testing"
)

// database is a store outside of the nodes.
type database struct {
	name string
	// store is what the flag -store says; the database is there until the test ends.
	store func(t *testing.T) string
}

// started are databases that tests start.
var started []database

// databases are those that tests start, with the tag databases, and those that are there
// and that TRIBES_STORES names, as the flag -store does.
func databases() []database {
	all := started
	for _, store := range strings.Fields(os.Getenv("TRIBES_STORES")) {
		all = append(all[:len(all):len(all)], database{store, func(*testing.T) string { return store }})
	}
	return all
}

// withDatabases runs f with each database as a subtest, at the same time.
func withDatabases(t *testing.T, f func(t *testing.T, i int, store string)) {
	for i, d := range databases() {
		t.Run("with "+d.name, func(t *testing.T) {
			t.Parallel()
			f(t, i, d.store(t))
		})
	}
}
