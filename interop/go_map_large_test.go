//go:build interop

package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// How large the large maps are: in Tribes a state transfer is one message, whatever it has.
const (
	largeEntries = 20000
	largeValue   = 100 // bytes
)

// largeCount is how many entries a large map has: a quarter of them unless all lines are asked for.
func largeCount() int {
	if long() {
		return largeEntries
	}
	return largeEntries / 4
}

// TestLargeMaps has a member of this module join a Java node with a large map, and a Java node join a member of this
// module with one. Then all entries are compared.
func TestLargeMaps(t *testing.T) {
	mapKinds(t, func(c *mapCase) {
		c.timeout = 30 * time.Second // 5 s by default
		for _, first := range []string{"Java", "Go"} {
			t := c.t
			c := *c
			c.group, c.heap = freeGroup(t), "512m"
			var has, joins *peer
			begin := time.Now()
			took := func(what string) {
				t.Logf("%s %s has it first: %s %d entries took %v", c.v, c.kind+", "+first, what, largeCount(), time.Since(begin).Round(time.Millisecond))
				begin = time.Now()
			}
			if first == "Java" {
				has = c.java()
			} else {
				has = c.goNode()
			}
			has.call(c.ctx, fmt.Sprintf("mapfill k %d %d", largeCount(), largeValue), "ok")
			took("filling with")
			if first == "Java" {
				joins = c.goNode(has)
			} else {
				joins = c.java(has)
			}
			took("joining with")
			c.awaitDigest(has, joins)
			took("comparing")
			if rss := joins.call(c.ctx, "memory", "memory", "error"); rss.Name == "memory" {
				t.Logf("the member of this module that has joined has had %d MiB", rss.Bytes>>20)
			}
			has.process.kill()
			joins.process.kill()
		}
	})
}

// awaitDigest waits until both have all entries, with their values.
func (c *mapCase) awaitDigest(nodes ...*peer) {
	c.t.Helper()
	var lines []string
	for i := range largeCount() {
		key := fmt.Sprint("k", i)
		lines = append(lines, key+"="+strings.Repeat(key+":", largeValue)[:largeValue]+"\n")
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	for want := hex.EncodeToString(sum[:]); ; {
		var digests []string
		for _, p := range nodes {
			digests = append(digests, p.call(c.ctx, "mapdigest", "mapDigest").Digest)
		}
		if !slices.ContainsFunc(digests, func(d string) bool { return d != want }) {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-c.ctx.Done():
			c.t.Fatalf("the maps do not come to be the same")
		}
	}
}
