package replmap

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
	"github.com/gotribes/tribes/transport/mem"
)

// A list of entries replaces what this member has missed before all saw it, and nothing that
// it has heard since: who gives the list may not have heard that yet.
func TestTribesRefresh(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b")
		a, b := all[0], all[1]
		b.put("k", "1")
		time.Sleep(10 * time.Second)
		key := inJava(t, "k")
		value := inJava(t, "2")
		e := a.rep.(*tribesMap)
		e.heard(&tribeswire.Message{Type: tribeswire.Copy, Key: key, Value: value, Primary: b.g.Local()}, b.g.Local(), time.Now().UnixMilli())
		e.refresh(context.Background(), b.g.Local(), time.Now().Add(-time.Second))
		if a.get("k") != "2" {
			t.Errorf("k is %s, which b has not heard yet", a.get("k"))
		}
		e.heard(&tribeswire.Message{Type: tribeswire.Remove, Key: key}, b.g.Local(), time.Now().UnixMilli()+1)
		e.refresh(context.Background(), b.g.Local(), time.Now().Add(-time.Second))
		if a.get("k") != "-" {
			t.Errorf("k is %s, which is gone, as b has not heard yet", a.get("k"))
		}
		time.Sleep(time.Second)
		e.refresh(context.Background(), b.g.Local(), time.Now())
		if a.get("k") != "1" {
			t.Errorf("k is %s, which was 1 before all saw a", a.get("k"))
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A list of entries does not replace what this member is the primary of for both: who gives
// the list is told. (Seed 667 of TestTribesSimulation.)
func TestTribesRefreshKeepsItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b")
		a, b := all[0], all[1]
		a.put("k", "new")
		key := inJava(t, "k")
		old := inJava(t, "old")
		time.Sleep(10 * time.Second)
		b.rep.(*tribesMap).table.Write(entry.Entry{Key: string(key), Value: old, Lifetime: entry.Forever}, nil)
		a.rep.(*tribesMap).refresh(context.Background(), b.g.Local(), time.Now())
		if a.get("k") != "new" || b.get("k") != "new" {
			t.Errorf("k is %s on a, %s on b", a.get("k"), b.get("k"))
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// Who is to say again what a key is does so, too, if it hears meanwhile whose it is.
// (Seed 944 of TestTribesSimulation.)
func TestTribesSaysAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b")
		a, b := all[0], all[1]
		a.put("k", "new")
		time.Sleep(10 * time.Second)
		key, old := inJava(t, "k"), inJava(t, "old")
		b.rep.(*tribesMap).table.Write(entry.Entry{Key: string(key), Value: old, Lifetime: entry.Forever}, nil)
		e := a.rep.(*tribesMap)
		e.sayAgain(string(key), true, nil)
		time.Sleep(50 * time.Millisecond)
		e.heard(&tribeswire.Message{Type: tribeswire.Notify, Key: key, Primary: b.g.Local()}, b.g.Local(), time.Now().UnixMilli())
		time.Sleep(10 * time.Second)
		if b.get("k") != "new" {
			t.Errorf("k is %s", b.get("k"))
		}
		for _, n := range all {
			n.stop()
		}
	})
}

func inJava(t *testing.T, s string) []byte {
	t.Helper()
	b, err := JavaString().Append(nil, s)
	must(t, err)
	return b
}

// What a member of a Tribes map has written is not replaced by another member that says
// again what it was before. (Seed 1204 of TestTribesSimulation.)
func TestTribesEcho(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b")
		a, b := all[0], all[1]
		a.put("k", "old")
		time.Sleep(10 * time.Second)
		key := inJava(t, "k")
		old := inJava(t, "old")
		a.put("k", "new")
		echo := &tribeswire.Message{Type: tribeswire.Copy, Key: key, Value: old, Primary: a.g.Local()}
		a.rep.(*tribesMap).heard(echo, b.g.Local(), time.Now().UnixMilli())
		if a.get("k") != "new" {
			t.Errorf("k is %s", a.get("k"))
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A write that reaches a member after it has taken the entry over, with the value from
// before, is on all members in the end. (Seed 667 of TestTribesSimulation.)
func TestTribesTakeoverOvertakesWrite(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := tribesFarm(t)
		all := f.start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		a.put("k", "old")
		time.Sleep(10 * time.Second)
		key := inJava(t, "k")
		f.net.SetLink("a", "c", mem.Link{Delay: 500 * time.Millisecond})
		done := make(chan error)
		go func() { done <- a.Put(context.Background(), "k", "new") }()
		time.Sleep(50 * time.Millisecond)
		must(t, c.rep.(*tribesMap).relay(context.Background(), []*membership.Member{b.g.Local()}, string(key)))
		must(t, <-done)
		f.net.SetLinks(mem.Link{Delay: time.Millisecond})
		time.Sleep(20 * time.Second)
		for _, n := range all {
			if n.get("k") != "new" {
				t.Errorf("k is %s on %s", n.get("k"), n.name)
			}
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// Who has gone while all were asked whether they have the map does not come back by its
// answer, which is from before.
func TestTribesAnswerIsOld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b")
		a, b := all[0], all[1]
		e := a.rep.(*tribesMap)
		e.asksAll()
		if e.wentSince(b.g.Local()) {
			t.Error("b has gone before it has")
		}
		must(t, b.Close(context.Background()))
		if n := a.Stats().Members; n != 0 || !e.wentSince(b.g.Local()) {
			t.Errorf("%d members, gone %v", n, e.wentSince(b.g.Local()))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		must(t, b.g.Stop(ctx))
		a.stop()
	})
}

// Who has deleted something and hears meanwhile that another one takes it over deletes it
// again.
func TestLazyDeletionStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := lazyFarm(t)
		all := f.start("a", "b", "c")
		a := all[0]
		a.put("k", "1")
		e := a.rep.(*tribesMap)
		key := inJava(t, "k")
		value := inJava(t, "1")
		done := make(chan error)
		go func() {
			_, err := a.Delete(context.Background(), "k")
			done <- err
		}()
		time.Sleep(500 * time.Microsecond) // it is on its way
		b := all[1].rep.(*tribesMap)
		b.table.Write(entry.Entry{Key: string(key), Value: value, Lifetime: entry.Forever}, nil)
		b.own(string(key), nil)
		e.takeLazy(&tribeswire.Message{Type: tribeswire.Backup, Key: key, Value: value, Primary: all[1].g.Local()}, all[1].g.Local(), time.Now().UnixMilli())
		must(t, <-done)
		time.Sleep(10 * time.Second)
		for _, n := range all {
			if n.get("k") != "-" {
				t.Errorf("k is %s on %s", n.get("k"), n.name)
			}
		}
		for _, n := range all {
			n.stop()
		}
	})
}
