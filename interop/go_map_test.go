//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap"
)

// maps are the commands for maps, which a Go process takes as a Java node does. mapstart has a third argument here,
// the class version of members.
func (o *console) maps(ctx context.Context, re int, words []string) error {
	switch words[0] {
	case "mapstart":
		var class int64
		if _, err := fmt.Sscan(words[3], &class); err != nil {
			return err
		}
		m, err := replmap.New(replmap.Config[string, string]{
			Group: o.group, Name: words[1], Keys: replmap.JavaString(), Values: replmap.JavaString(),
			Tribes: &replmap.Tribes{Class: class, Access: mapAccess},
		})
		if err != nil {
			return err
		}
		if err := m.Start(ctx); err != nil {
			return err
		}
		o.shared = m
		o.print(re, fields{"event": "mapStarted"})
		return nil
	case "mapput":
		if err := o.shared.Put(ctx, words[1], words[2]); err != nil {
			return err
		}
	case "mapremove":
		if _, err := o.shared.Delete(ctx, words[1]); err != nil {
			return err
		}
	case "mapdump":
		var all []string
		for k, v := range o.shared.All() {
			primary := "null"
			if p := o.shared.Primary(k); p != nil {
				primary = p.AddrPort().String()
			}
			all = append(all, fmt.Sprintf("%s=%s primary=%s", k, v, primary))
		}
		o.print(re, fields{"event": "map", "entries": all})
		return nil
	case "mapstop":
		if err := o.shared.Close(ctx); err != nil {
			return err
		}
	}
	o.print(re, fields{"event": "ok"})
	return nil
}

// mapAccess is how often nodes ask whether the others still have the map.
const mapAccess = time.Second

// mapEntry is one entry as a node has it.
type mapEntry struct{ value, primary string }

// entries are those of the node's map.
func (p *peer) entries(ctx context.Context) map[string]mapEntry {
	p.t.Helper()
	all := make(map[string]mapEntry)
	for _, text := range p.call(ctx, "mapdump", "map").Entries {
		entry, rest, _ := strings.Cut(text, " primary=")
		key, value, _ := strings.Cut(entry, "=")
		primary, _, _ := strings.Cut(rest, " ")
		all[key] = mapEntry{value, primary}
	}
	return all
}

// mapCase is a map that Java nodes and members of this module share.
type mapCase struct {
	t     *testing.T
	ctx   context.Context
	v     version
	group string
	kind  string
	want  map[string]string
}

// java starts a Java node, and its map.
func (c *mapCase) java() *peer {
	c.t.Helper()
	config := peerConfig{Group: c.group, Flags: []string{"--heartbeat", fmt.Sprint(mapAccess.Milliseconds())}}.withDefaults(c.t)
	args := append([]string{
		"-Djava.net.preferIPv4Stack=true", "-Xmx" + config.Heap, "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError",
		"-cp", c.v.classPath(c.t), "MapPeer",
	}, config.flags()...)
	p := launch(c.ctx, c.t, fmt.Sprintf("%s on port %d", c.v, config.Port), exec.Command(javaCommand(), args...))
	p.call(c.ctx, "mapstart m "+c.kind, "mapStarted")
	// Without an answer of the map itself, Java's own removal and the new value that follows it overtake each other.
	p.call(c.ctx, fmt.Sprintf("mapoptions %d", optSync), "ok")
	return p
}

// goNode starts a process of this module, and its map.
func (c *mapCase) goNode(others ...*peer) *peer {
	c.t.Helper()
	p := startGoPeer(c.ctx, c.t, goConfig{Group: c.group})
	for _, o := range others {
		p.awaitJoin(c.ctx, o)
	}
	p.call(c.ctx, fmt.Sprintf("mapstart m %s %d", c.kind, c.v.memberUID()), "mapStarted")
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

// await waits until all nodes have what was written, and each entry the same primary on all of them, which is one of
// them.
func (c *mapCase) await(nodes ...*peer) {
	c.t.Helper()
	ctx, cancel := context.WithTimeoutCause(c.ctx, patience, errors.New("the maps do not come to be the same"))
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
	primaries := make(map[string]string)
	for _, p := range nodes {
		have := p.entries(c.ctx)
		values := make(map[string]string)
		for key, e := range have {
			values[key] = e.value
			if primaries[key] == "" {
				primaries[key] = e.primary
			}
			if !slices.Contains(addrs, e.primary) || primaries[key] != e.primary {
				return fmt.Sprintf("primary of %s is %s on %s, and %s elsewhere", key, e.primary, p, primaries[key])
			}
		}
		if !maps.Equal(values, c.want) {
			return fmt.Sprintf("%s has %v, want %v", p, values, c.want)
		}
	}
	return ""
}

// TestReplicatedMap lets members of this module and Java nodes share a ReplicatedMap: each joins when others have
// entries, all write and remove, each kind is killed, and stops in order. In the end all entries are the same, and each
// has a primary that lives.
func TestReplicatedMap(t *testing.T) {
	lines := []version{v90, v101} // 11.0 has the classes of 10.1
	if long() {
		lines = versions
	}
	for _, v := range lines {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			c := &mapCase{t: t, ctx: testContext(t), v: v, group: freeGroup(t), kind: "full", want: make(map[string]string)}
			java1 := c.java()
			for i := range 10 {
				c.put(java1, fmt.Sprint("j", i), "1")
			}
			go1 := c.goNode(java1)
			c.await(java1, go1)
			for i := range 10 {
				c.put(go1, fmt.Sprint("g", i), "1")
				c.put(java1, fmt.Sprint("j", i), fmt.Sprint(i))
			}
			c.put(go1, "j0", "of_Go")
			c.put(java1, "g0", "of_Java")
			c.remove(java1, "g1")
			c.remove(go1, "j1")
			c.await(java1, go1)

			java2 := c.java()
			go2 := c.goNode(java1, go1, java2)
			for i, p := range []*peer{java1, go1, java2, go2} {
				c.put(p, fmt.Sprint("x", i), "1")
				c.put(p, fmt.Sprint("j", 2+i), "again")
			}
			c.await(java1, go1, java2, go2)

			java2.kill()
			c.put(go2, "after", "1")
			c.await(java1, go1, go2)
			go2.kill()
			c.put(java1, "after", "2")
			c.await(java1, go1)
			java3 := c.java()
			c.await(java1, go1, java3)
			java1.call(c.ctx, "mapstop", "ok")
			c.put(go1, "last", "1")
			c.await(go1, java3)
			go1.call(c.ctx, "mapstop", "ok")
			c.await(java3)
		})
	}
}

// TestReplicatedMapClash has a Java node and a member of this module put the same keys at the same time. Each side then
// has what the other has put, until the member of this module says it again: in the end both have the same.
func TestReplicatedMapClash(t *testing.T) {
	c := &mapCase{t: t, ctx: testContext(t), v: v101, group: freeGroup(t), kind: "full"}
	java := c.java()
	goNode := c.goNode(java)
	for i := range 100 {
		asked := java.command(fmt.Sprintf("mapput k%d of_Java", i%20))
		goNode.call(c.ctx, fmt.Sprintf("mapput k%d of_Go", i%20), "ok")
		java.answer(c.ctx, asked, "ok")
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	for {
		here, there := goNode.entries(c.ctx), java.entries(c.ctx)
		same := maps.EqualFunc(here, there, func(a, b mapEntry) bool { return a.value == b.value })
		if same && len(here) == 20 {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("Go has %v, Java has %v", here, there)
		}
	}
}
