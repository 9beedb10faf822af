//go:build databases

package serve

import (
	"testing"

	"github.com/gotribes/tribes/internal/proctest/servers"
)

func init() {
	for _, e := range servers.All {
		started = append(started, database{e.Name, func(t *testing.T) string { return servers.Start(t, e).URL }})
	}
}
