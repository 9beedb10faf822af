package replmap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// tribesFarm is a farm of maps that talk as Java nodes do.
func tribesFarm(t *testing.T) *farm {
	return newFarm(t, func(c *Config[string, string]) {
		c.Keys, c.Values, c.Tribes = JavaString(), JavaString(), &Tribes{Access: 2 * time.Second}
	})
}

// checkEqual fails unless all have the same, and know the same primaries.
func checkEqual(t *testing.T, nodes ...*node) {
	t.Helper()
	checkEntries(t, nodes...)
	for _, n := range nodes {
		for key := range n.all() {
			p, q := nodes[0].Primary(key), n.Primary(key)
			if p == nil || q == nil || p.ID() != q.ID() {
				t.Errorf("primary of %s is %v on %s, %v on %s", key, p, nodes[0].name, q, n.name)
			}
		}
	}
}

// checkEntries fails unless all have the same.
func checkEntries(t *testing.T, nodes ...*node) {
	t.Helper()
	want := nodes[0].all()
	for _, n := range nodes {
		have := n.all()
		for key := range have {
			if want[key] != have[key] {
				t.Errorf("%s is %q on %s, %q on %s", key, want[key], nodes[0].name, have[key], n.name)
			}
		}
		for key := range want {
			if _, there := have[key]; !there {
				t.Errorf("%s is %q on %s, and not on %s", key, want[key], nodes[0].name, n.name)
			}
		}
	}
}

// Members that speak as Java nodes do have the same, through joins, a leave and a crash,
// and no entry is without a primary.
func TestTribesAmongOurselves(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := tribesFarm(t)
		all := f.start("a", "b")
		a, b := all[0], all[1]
		for i := range 20 {
			all[i%2].put(fmt.Sprint("k", i), "1")
		}
		c := f.start("c")[0]
		if c.Len() != 20 || c.Stats().Transferred != 20 {
			t.Errorf("c has %v", c.all())
		}
		time.Sleep(5 * time.Second)
		checkEqual(t, a, b, c)
		for i := range 10 {
			c.put(fmt.Sprint("k", i), "2")
		}
		_, err := b.Delete(context.Background(), "k19")
		must(t, err)
		time.Sleep(5 * time.Second) // messages that have crossed are said again
		checkEqual(t, a, b, c)
		c.crash()
		time.Sleep(15 * time.Second)
		checkEqual(t, a, b)
		if a.get("k0") != "2" || a.get("k19") != "-" || a.Len() != 19 {
			t.Errorf("a has %v", a.all())
		}
		d := f.start("d")[0]
		a.stop()
		time.Sleep(15 * time.Second)
		checkEqual(t, b, d)
		if b.Len() != 19 || b.Stats().Members != 1 {
			t.Errorf("b has %v, %+v", b.all(), b.Stats())
		}
		b.stop()
		d.stop()
	})
}

// After a partition what one side has written is on both; of what both have written one
// stays.
func TestTribesPartition(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := tribesFarm(t)
		all := f.start("a", "b", "c")
		a, c := all[0], all[2]
		for _, key := range []string{"gone", "both", "left", "right"} {
			a.put(key, "0")
		}
		f.net.Partition([]string{"a", "b"}, []string{"c"})
		a.put("left", "not delivered, and c not lost yet")
		time.Sleep(10 * time.Second)
		a.put("left", "1")
		a.put("both", "1")
		c.put("both", "2")
		c.put("right", "2")
		c.put("new", "2")
		_, err := c.Delete(context.Background(), "gone")
		must(t, err)
		f.net.Heal()
		time.Sleep(30 * time.Second)
		for _, n := range all {
			if n.get("left") != "1" || n.get("right") != "2" || n.get("new") != "2" || n.get("gone") != "-" || n.Len() != 4 || n.get("both") == "0" {
				t.Errorf("%s has %v", n.name, n.all())
			}
			if fmt.Sprint(n.all()) != fmt.Sprint(a.all()) {
				t.Errorf("%s has %v, a has %v", n.name, n.all(), a.all())
			}
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A member that started where it saw nobody gets all entries when it is met, from each
// member those of all, since a Java node would give it none of its own.
func TestTribesStartUnseen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := tribesFarm(t)
		all := f.start("a", "b")
		all[0].put("x", "1")
		all[1].put("y", "1")
		f.start("c")[0].stop()
		f.net.Isolate("c")
		c := f.start("c")[0]
		time.Sleep(5 * time.Second)
		c.put("z", "1")
		f.net.Heal()
		time.Sleep(20 * time.Second)
		checkEntries(t, append(all, c)...)
		if c.Len() != 3 {
			t.Errorf("c has %v", c.all())
		}
		for _, n := range append(all, c) {
			n.stop()
		}
	})
}

// Of values that two members put at the same time one stays, the same on all: messages
// that have crossed are said again.
func TestTribesClash(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b", "c")
		for i := range 20 {
			key := fmt.Sprint("k", i)
			var puts sync.WaitGroup
			for _, n := range all {
				puts.Go(func() { n.put(key, n.name) })
			}
			puts.Wait()
		}
		time.Sleep(10 * time.Second)
		checkEntries(t, all...)
		if all[0].Len() != 20 {
			t.Errorf("a has %v", all[0].all())
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A message that was overtaken by a later one of its node is left out.
func TestTribesOvertaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := tribesFarm(t)
		all := f.start("a", "b")
		a, b := all[0], all[1]
		b.put("k", "1")
		e := a.rep.(*tribesMap)
		key, err := JavaString().Append(nil, "k")
		must(t, err)
		value, err := JavaString().Append(nil, "2")
		must(t, err)
		now := time.Now().UnixMilli()
		e.heard(&tribeswire.Message{Type: tribeswire.Copy, Key: key, Value: value, Primary: b.g.Local()}, b.g.Local(), now+1000)
		e.heard(&tribeswire.Message{Type: tribeswire.Remove, Key: key}, b.g.Local(), now+999)
		if a.get("k") != "2" {
			t.Errorf("k is %s", a.get("k"))
		}
		e.heard(&tribeswire.Message{Type: tribeswire.Remove, Key: key}, b.g.Local(), now+1000)
		if a.get("k") != "-" {
			t.Errorf("k is %s", a.get("k"))
		}
		a.stop()
		b.stop()
	})
}

// What a map of Tribes does not have is refused, and a configuration that makes none too.
func TestTribesUnsupported(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := tribesFarm(t).start("a")[0]
		ctx := context.Background()
		if _, err := n.CompareAndSwap(ctx, "k", "1", "2"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("CompareAndSwap: %v", err)
		}
		if err := n.PutFor(ctx, "k", "1", time.Second); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("PutFor: %v", err)
		}
		for what, change := range map[string]func(*Config[string, string]){
			"codec":     func(c *Config[string, string]) { c.Values = String() },
			"name":      func(c *Config[string, string]) { c.Name = "€" },
			"durations": func(c *Config[string, string]) { c.Tribes = &Tribes{Access: -1} },
			"resolver":  func(c *Config[string, string]) { c.Resolve = func(string, *string, *string) *string { return nil } },
		} {
			c := n.cfg
			change(&c)
			if _, err := New(c); err == nil {
				t.Errorf("%s: accepted", what)
			}
		}
		n.stop()
	})
}

func TestJavaCodecs(t *testing.T) {
	s, err := JavaString().Append(nil, "k1")
	must(t, err)
	if string(s) != "\xac\xed\x00\x05t\x00\x02k1" {
		t.Errorf("k1 is %x", s)
	}
	b, err := JavaBytes().Append(nil, []byte("v"))
	must(t, err)
	if v, err := JavaBytes().Decode(b); err != nil || string(v) != "v" {
		t.Errorf("%q, %v", v, err)
	}
	if v, err := JavaString().Decode(s); err != nil || v != "k1" {
		t.Errorf("%q, %v", v, err)
	}
	k, err := JavaByteKeys().Append(nil, "v")
	must(t, err)
	if v, err := JavaByteKeys().Decode(k); err != nil || v != "v" || string(k) != string(b) {
		t.Errorf("%q, %v", v, err)
	}
	if _, err := JavaByteKeys().Decode(s); err == nil {
		t.Error("text is a key of bytes")
	}
	if _, err := JavaString().Decode(b); err == nil {
		t.Error("bytes are text")
	}
	if _, err := JavaBytes().Decode(s); err == nil {
		t.Error("text is bytes")
	}
	if _, err := JavaBytes().Decode([]byte("x")); err == nil {
		t.Error("anything is bytes")
	}
}
