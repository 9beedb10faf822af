package replmap

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
	"github.com/gotribes/tribes/transport/mem"
)

// Members that write one key all the time have no more to say again than once.
func TestTribesContention(t *testing.T) {
	tribesKinds(t, func(t *testing.T, f *farm) {
		cfg := f.cfg
		f.cfg = func(c *Config[string, string]) {
			cfg(c)
			c.Tribes.Access = 0
		}
		all := f.start("a", "b", "c")
		before := runtime.NumGoroutine()
		for i := range 3000 {
			all[i%3].put("k", fmt.Sprint(i))
			time.Sleep(5 * time.Millisecond)
			if n := runtime.NumGoroutine(); n > before+200 {
				t.Fatalf("%d goroutines after %d writes, %d before", n, i, before)
			}
		}
		time.Sleep(20 * time.Second)
		for _, n := range all[1:] {
			if n.get("k") != all[0].get("k") {
				t.Errorf("k is %s on %s, %s on a", n.get("k"), n.name, all[0].get("k"))
			}
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// What could not be sent to a member that has left is not kept for it.
func TestTribesMissesNobodyWhoLeft(t *testing.T) {
	tribesKinds(t, func(t *testing.T, f *farm) {
		all := f.start("a", "b")
		a, b := all[0], all[1]
		e := a.rep.(*tribesMap)
		e.gone(b.g.Local().ID(), false)
		e.miss(b.g.Local(), "k") // of a write that was on its way
		if n := len(e.missed); n != 0 {
			t.Errorf("what %d members have missed is kept", n)
		}
		a.stop()
		b.stop()
	})
}

// A write that fails because others are being told of the key, until its context ends, gets
// to them nevertheless.
func TestLazyPutGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := lazyFarm(t).start("a", "b", "c")
		a, b := all[0], all[1]
		a.put("k", "1")
		time.Sleep(10 * time.Second)
		end, err := b.rep.(*tribesMap).sending.take(context.Background(), string(inJava(t, "k")))
		must(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := b.Put(ctx, "k", "2"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("put: %v", err)
		}
		end()
		time.Sleep(20 * time.Second)
		if have := checkLazy(t, all...); have["k"] != "2" {
			t.Errorf("have %v", have)
		}
		for _, n := range all {
			if n.get("k") != "2" {
				t.Errorf("k is %s on %s", n.get("k"), n.name)
			}
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A value that was asked for does not replace what was heard after it was answered; what is
// to be fetched again meanwhile is.
func TestTribesFetchIsOvertaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := tribesFarm(t)
		all := f.start("a", "b", "c")
		a, b, c := all[0], all[1], all[2].g.Local()
		for _, key := range []string{"k", "again"} {
			b.put(key, "1")
		}
		time.Sleep(10 * time.Second)
		e := a.rep.(*tribesMap)
		from := b.g.Local()
		k, again := inJava(t, "k"), inJava(t, "again")
		differs := func(key []byte) {
			e.heard(&tribeswire.Message{Type: tribeswire.Copy, Diff: true, DiffValue: []byte{1}, Key: key, Primary: from}, from, time.Now().UnixMilli())
		}
		f.net.SetLink("b", "a", mem.Link{Delay: 500 * time.Millisecond})
		differs(k)
		differs(again)
		time.Sleep(100 * time.Millisecond)
		e.heard(&tribeswire.Message{Type: tribeswire.Copy, Key: k, Value: inJava(t, "2"), Primary: c}, c, time.Now().UnixMilli())
		b.rep.(*tribesMap).table.Write(entry.Entry{Key: string(again), Value: inJava(t, "2"), Lifetime: entry.Forever}, nil)
		differs(again)
		time.Sleep(1500 * time.Millisecond)
		if a.get("k") != "2" || a.get("again") != "2" {
			t.Errorf("a has %v", a.all())
		}
		f.net.SetLinks(mem.Link{Delay: time.Millisecond})
		for _, n := range all {
			n.stop()
		}
	})
}
