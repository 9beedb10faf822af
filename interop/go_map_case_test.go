//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// mapEntry is one entry as a node has it. The value is "-" where it is elsewhere.
type mapEntry struct{ value, primary, backups, role string }

// entries are those of the node's map.
func (p *peer) entries(ctx context.Context) map[string]mapEntry {
	p.t.Helper()
	all := make(map[string]mapEntry)
	for _, text := range p.call(ctx, "mapdump", "map").Entries {
		key, rest, _ := strings.Cut(text, "=")
		var e mapEntry
		if _, err := fmt.Sscanf(rest, "%s primary=%s backups=%s role=%s", &e.value, &e.primary, &e.backups, &e.role); err != nil {
			p.t.Fatalf("%s: entry %q: %v", p, text, err)
		}
		all[key] = e
	}
	return all
}

// mapCase is a map that Java nodes and members of this module share.
type mapCase struct {
	t       *testing.T
	ctx     context.Context
	v       version
	group   string
	kind    string // full or lazy
	timeout time.Duration
	heap    string
	want    map[string]string
}

func newMapCase(t *testing.T, v version, kind string) *mapCase {
	return &mapCase{t: t, ctx: testContext(t), v: v, group: freeGroup(t), kind: kind, timeout: 5 * time.Second, want: make(map[string]string)}
}

func (c *mapCase) start() string {
	return fmt.Sprintf("mapstart m %s %d", c.kind, c.timeout.Milliseconds())
}

// java starts a Java node, and its map when it and the others see each other: Java nodes that do not see it yet ignore
// that its map starts, and do not tell it what they write; nor does it tell those that it does not see.
func (c *mapCase) java(others ...*peer) *peer {
	c.t.Helper()
	p := c.javaNode()
	for _, o := range others {
		o.awaitJoin(c.ctx, p)
		p.awaitJoin(c.ctx, o)
	}
	c.javaMap(p)
	return p
}

// javaNode starts a Java node without a map.
func (c *mapCase) javaNode() *peer {
	c.t.Helper()
	config := peerConfig{Group: c.group, Heap: c.heap, Flags: []string{"--heartbeat", fmt.Sprint(mapAccess.Milliseconds())}}.withDefaults(c.t)
	args := append([]string{
		"-Djava.net.preferIPv4Stack=true", "-Xmx" + config.Heap, "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
		"-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", c.v.classPath(c.t), "MapPeer",
	}, config.flags()...)
	return launch(c.ctx, c.t, fmt.Sprintf("%s on port %d", c.v, config.Port), exec.Command(javaCommand(), args...))
}

// javaMap starts the map of a Java node.
func (c *mapCase) javaMap(p *peer) {
	c.t.Helper()
	p.call(c.ctx, c.start(), "mapStarted")
	// Without an answer of the map itself, Java's own removal and the new value that follows it overtake each other.
	p.call(c.ctx, fmt.Sprintf("mapoptions %d", optSync), "ok")
}

// goNode starts a process of this module, and its map.
func (c *mapCase) goNode(others ...*peer) *peer {
	c.t.Helper()
	p := startGoPeer(c.ctx, c.t, goConfig{Group: c.group})
	for _, o := range others {
		p.awaitJoin(c.ctx, o)
	}
	p.call(c.ctx, fmt.Sprint(c.start(), " ", c.v.memberUID()), "mapStarted")
	return p
}

func (c *mapCase) put(p *peer, key, value string) {
	c.t.Helper()
	p.call(c.ctx, "mapput "+key+" "+value, "ok")
	c.want[key] = value
}

func (c *mapCase) remove(p *peer, key string) {
	c.t.Helper()
	p.call(c.ctx, "mapremove "+key, "ok")
	delete(c.want, key)
}

// get reads a key on a node.
func (c *mapCase) get(p *peer, key string) {
	c.t.Helper()
	if v := p.call(c.ctx, "mapget "+key, "mapValue").Value; v != c.want[key] {
		c.t.Errorf("%s: %s is %q, want %q", p, key, v, c.want[key])
	}
}

// await waits until all nodes have what was written, and each entry the same primary on all of them, which is one of
// them; in a lazy map also the same backup, and the value on those two.
func (c *mapCase) await(nodes ...*peer) {
	c.t.Helper()
	ctx, cancel := context.WithTimeoutCause(c.ctx, patience/4, errors.New("the maps do not come to be the same"))
	defer cancel()
	for {
		wrong := c.wrong(nodes)
		if wrong == "" {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			c.t.Fatalf("%v: %s", context.Cause(ctx), wrong)
		}
	}
}

// wrong says what is not as it is to be.
func (c *mapCase) wrong(nodes []*peer) string {
	c.t.Helper()
	var addrs []string
	for _, p := range nodes {
		addrs = append(addrs, p.addr)
	}
	first := make(map[string]mapEntry)
	for _, p := range nodes {
		have := p.entries(c.ctx)
		for key, e := range have {
			if _, there := first[key]; !there {
				first[key] = e
			}
			if f := first[key]; !slices.Contains(addrs, e.primary) || f.primary != e.primary {
				return fmt.Sprintf("primary of %s is %s on %s, and %s elsewhere", key, e.primary, p, f.primary)
			}
			if c.kind == "lazy" {
				if wrong := c.wrongPlace(p, key, e, first[key], addrs); wrong != "" {
					return wrong
				}
			}
			if want, there := c.want[key]; e.value != "-" && (!there || want != e.value) {
				return fmt.Sprintf("%s has %s for %s, want %s", p, e.value, key, want)
			}
		}
		for key := range c.want {
			if _, there := have[key]; !there {
				return fmt.Sprintf("%s has no %s", p, key)
			}
		}
	}
	return ""
}

// wrongPlace says what is wrong with where an entry of a lazy map is: e on p, and first on another node. The role is not
// looked at: a Java node that is given a value while it reads the key takes itself for its primary and its backup.
func (c *mapCase) wrongPlace(p *peer, key string, e, first mapEntry, addrs []string) string {
	switch {
	case e.backups != first.backups:
		return fmt.Sprintf("backup of %s is %s on %s, and %s elsewhere", key, e.backups, p, first.backups)
	case len(addrs) > 1 && (!slices.Contains(addrs, e.backups) || e.backups == e.primary):
		return fmt.Sprintf("primary of %s is %s and its backup %s", key, e.primary, e.backups)
	case (p.addr == e.primary || p.addr == e.backups) != (e.value != "-"):
		return fmt.Sprintf("%s is %s on %s, primary %s, backup %s", key, e.value, p, e.primary, e.backups)
	}
	return ""
}

// mapKinds runs a test for both kinds of maps side by side, as it mostly waits: of 10.1, and of all lines if asked for.
func mapKinds(t *testing.T, run func(c *mapCase)) {
	lines := []version{v101}
	if long() {
		lines = versions
	}
	for _, v := range lines {
		for _, kind := range []string{"full", "lazy"} {
			t.Run(fmt.Sprintf("%s %s", v, kind), func(t *testing.T) {
				t.Parallel()
				run(newMapCase(t, v, kind))
			})
		}
	}
}
