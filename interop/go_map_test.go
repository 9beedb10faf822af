//go:build interop

package interop

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestReplicatedMaps lets members of this module and Java nodes share a ReplicatedMap and a LazyReplicatedMap, with
// texts and bytes as values: all write, overwrite, remove and read at random, each kind of node joins, stops, and is
// killed while the others write. In the end all entries of all nodes are compared: nothing is lost, each has a primary
// that lives, in a lazy map a backup too, and everybody reads the same.
func TestReplicatedMaps(t *testing.T) {
	mapKinds(t, func(c *mapCase) {
		java1 := c.java()
		c.put(java1, "first", "1")
		go1 := c.goNode(java1)
		s := &mapScene{mapCase: c, rnd: rand.New(rand.NewPCG(1, uint64(len(c.kind)))), nodes: []*peer{java1, go1}}
		s.writes(30)
		s.check()
		java2 := c.java(s.nodes...)
		go2 := c.goNode(java1, go1, java2)
		s.nodes = append(s.nodes, java2, go2)
		s.writes(30)
		s.check()
		s.lose(java2, (*peer).kill)
		s.lose(go2, (*peer).kill)
		s.nodes = append(s.nodes, c.java(s.nodes...))
		s.writes(20)
		s.check()
		s.lose(java1, func(p *peer) { p.call(c.ctx, "mapstop", "ok") })
		s.readAll()
		s.nodes = append(s.nodes, c.goNode(go1))
		s.lose(go1, func(p *peer) { p.call(c.ctx, "mapstop", "ok") })
		s.readAll()
	})
}

// mapScene is a map with the nodes that have it now.
type mapScene struct {
	*mapCase
	rnd   *rand.Rand
	nodes []*peer
	count int
}

// mapDeed is a command that was given.
type mapDeed struct {
	p      *peer
	number int
}

// begin has each node do n things at the same time: of each key one node at a time has the word, which is who has the
// same number as the key, and another one in the next round.
func (s *mapScene) begin(n int) (all []mapDeed) {
	s.count++
	for range n {
		for i, p := range s.nodes {
			key := fmt.Sprint("k", i+len(s.nodes)*s.rnd.IntN(8))
			line := "mapremove " + key
			switch value, what := fmt.Sprint("v", s.rnd.Uint32()), s.rnd.IntN(8); {
			case what == 0:
				delete(s.want, key)
			case what == 1:
				line = "mapget " + key
			default:
				if what%2 == 0 {
					value = fmt.Sprintf("0x%08x", s.rnd.Uint32())
				}
				line = "mapput " + key + " " + value
				s.want[key] = value
			}
			all = append(all, mapDeed{p, p.command(line)})
		}
	}
	return all
}

func (s *mapScene) finish(all []mapDeed) {
	for _, d := range all {
		if slices.Contains(s.nodes, d.p) {
			d.p.answer(s.ctx, d.number, "ok", "mapValue")
		}
	}
}

func (s *mapScene) writes(n int) {
	s.t.Helper()
	s.finish(s.begin(n))
}

func (s *mapScene) check() {
	s.t.Helper()
	s.await(s.nodes...)
}

// lose has a node go while the others write.
func (s *mapScene) lose(gone *peer, how func(*peer)) {
	s.t.Helper()
	s.nodes = slices.DeleteFunc(slices.Clone(s.nodes), func(p *peer) bool { return p == gone })
	all := s.begin(10)
	how(gone)
	s.finish(all)
	s.check()
}

// readAll has each node read each key.
func (s *mapScene) readAll() {
	s.t.Helper()
	for _, p := range s.nodes {
		for key := range s.want {
			s.get(p, key)
		}
	}
	s.check()
}

// TestReplicatedMapClash has a Java node and a member of this module put the same keys at the same time. Each side then
// has what the other has put, until the member of this module says it again: in the end both have the same.
func TestReplicatedMapClash(t *testing.T) {
	mapKinds(t, func(c *mapCase) {
		java := c.java()
		goNode := c.goNode(java)
		for i := range 100 {
			asked := java.command(fmt.Sprintf("mapput k%d of_Java", i%20))
			goNode.call(c.ctx, fmt.Sprintf("mapput k%d of_Go", i%20), "ok")
			java.answer(c.ctx, asked, "ok")
		}
		ctx, cancel := context.WithTimeout(c.ctx, patience/4)
		defer cancel()
		for {
			here, there := goNode.entries(c.ctx), java.entries(c.ctx)
			same := maps.EqualFunc(here, there, func(a, b mapEntry) bool { return a.value == b.value && a.primary == b.primary })
			if same && len(here) == 20 {
				return
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("Go has %v, Java has %v", here, there)
			}
		}
	})
}

// TestMapByteKeys has bytes as keys. To Java an array is equal to nothing but itself, so a Java node finds no entry by a
// key that it has received, neither to read nor to change nor to remove it: it has one entry more for each message. A
// member of this module knows keys by their bytes, and has all that Java nodes say right.
func TestMapByteKeys(t *testing.T) {
	c := newMapCase(t, v101, "full")
	java := c.java()
	goNode := c.goNode(java)
	c.put(java, "0x01", "0xff00")
	c.put(java, "0x02", "text")
	c.put(java, "0x02", "0x")
	c.put(java, "0x03", "1")
	c.remove(java, "0x03")
	c.await(goNode, java)
	c.put(goNode, "0x04", "2")
	c.await(goNode, java)
	c.put(goNode, "0x04", "3")
	if e := goNode.entries(c.ctx)["0x04"]; e.value != "3" {
		t.Errorf("0x04 is %s", e.value)
	}
	twice := 0
	for _, text := range java.call(c.ctx, "mapdump", "map").Entries {
		if text[:5] == "0x04=" {
			twice++
		}
	}
	if twice != 2 {
		t.Errorf("Java has %d entries of a key that was put twice elsewhere, want 2", twice)
	}
}
