package replmap

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
	"github.com/gotribes/tribes/transport/mem"
)

// tribesKinds runs a test with the maps of both kinds.
func tribesKinds(t *testing.T, f func(t *testing.T, farm *farm)) {
	for name, farm := range map[string]func(*testing.T) *farm{"all": tribesFarm, "lazy": lazyFarm} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) { f(t, farm(t)) })
		})
	}
}

// A value that was overtaken by the removal of its node does not bring the entry back.
func TestTribesOvertakenByRemoval(t *testing.T) {
	tribesKinds(t, func(t *testing.T, f *farm) {
		all := f.start("a", "b")
		a, b := all[0], all[1].g.Local()
		e := a.rep.(*tribesMap)
		key, value := inJava(t, "k"), inJava(t, "1")
		now := time.Now().UnixMilli()
		nodes := []*membership.Member{a.g.Local()}
		e.heard(&tribeswire.Message{Type: tribeswire.Backup, Key: key, Value: value, Primary: b, Nodes: nodes}, b, now)
		e.heard(&tribeswire.Message{Type: tribeswire.Remove, Key: key}, b, now+2)
		e.heard(&tribeswire.Message{Type: tribeswire.Backup, Key: key, Value: value, Primary: b, Nodes: nodes}, b, now+1)
		if a.get("k") != "-" {
			t.Errorf("k is %s", a.get("k"))
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// What a node writes after its clock was set back is no message that was overtaken.
func TestTribesClockSetBack(t *testing.T) {
	tribesKinds(t, func(t *testing.T, f *farm) {
		all := f.start("a", "b")
		a, b := all[0], all[1].g.Local()
		e := a.rep.(*tribesMap)
		key := inJava(t, "k")
		nodes := []*membership.Member{a.g.Local()}
		e.heard(&tribeswire.Message{Type: tribeswire.Backup, Key: key, Value: inJava(t, "1"), Primary: b, Nodes: nodes}, b, time.Now().UnixMilli()+3600_000)
		time.Sleep(15 * time.Second)
		e.heard(&tribeswire.Message{Type: tribeswire.Backup, Key: key, Value: inJava(t, "2"), Primary: b, Nodes: nodes}, b, time.Now().UnixMilli())
		if a.get("k") != "2" {
			t.Errorf("k is %s", a.get("k"))
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// What another member writes when all have answered a write of this one stays, also if
// this one still tells somebody what the entry was.
func TestTribesWriteIsOver(t *testing.T) {
	tribesKinds(t, func(t *testing.T, f *farm) {
		all := f.start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		time.Sleep(10 * time.Second)
		key := string(inJava(t, "k"))
		f.net.SetLink("a", "c", mem.Link{Delay: 500 * time.Millisecond})
		put, told := make(chan error), make(chan error)
		go func() { put <- a.Put(context.Background(), "k", "1") }()
		time.Sleep(50 * time.Millisecond)
		go func() {
			told <- a.rep.(*tribesMap).tell(context.Background(), []*membership.Member{c.g.Local()}, key, nil)
		}()
		must(t, <-put)
		time.Sleep(300 * time.Millisecond) // more than what counts as crossed
		b.put("k", "2")
		must(t, <-told)
		f.net.SetLinks(mem.Link{Delay: time.Millisecond})
		time.Sleep(20 * time.Second)
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

// A list of a member that does not have what another one has written, which could not be
// sent to it yet, does not take it away.
func TestTribesRefreshAsksTheWriter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		b.put("k", "new")
		b.put("new", "1")
		b.put("gone", "1")
		time.Sleep(10 * time.Second)
		k, added := string(inJava(t, "k")), string(inJava(t, "new"))
		c.rep.(*tribesMap).table.Write(entry.Entry{Key: k, Value: inJava(t, "old"), Lifetime: entry.Forever}, nil)
		c.rep.(*tribesMap).table.Write(entry.Entry{Key: added, Gone: true, Lifetime: entry.Forever}, nil)
		c.rep.(*tribesMap).forget(added)
		for _, n := range all[1:] { // a has missed that
			n.rep.(*tribesMap).table.Write(entry.Entry{Key: string(inJava(t, "gone")), Gone: true, Lifetime: entry.Forever}, nil)
			n.rep.(*tribesMap).forget(string(inJava(t, "gone")))
		}
		a.rep.(*tribesMap).refresh(context.Background(), c.g.Local(), time.Now())
		if a.get("k") != "new" || a.get("new") != "1" || a.get("gone") != "-" {
			t.Errorf("a has %v", a.all())
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// Who hears whose an entry is has not heard what it is: that it has missed.
// (Seed 2828 of TestTribesSimulation.)
func TestTribesRefreshAfterTheName(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b")
		a, b := all[0], all[1].g.Local()
		all[1].put("k", "new")
		time.Sleep(10 * time.Second)
		e := a.rep.(*tribesMap)
		key := inJava(t, "k")
		e.table.Write(entry.Entry{Key: string(key), Value: inJava(t, "old"), Lifetime: entry.Forever}, nil)
		since := time.Now()
		time.Sleep(time.Second)
		e.heard(&tribeswire.Message{Type: tribeswire.Notify, Key: key, Primary: b}, b, time.Now().UnixMilli())
		e.refresh(context.Background(), b, since)
		if a.get("k") != "new" {
			t.Errorf("k is %s", a.get("k"))
		}
		for _, n := range all {
			n.stop()
		}
	})
}

// A member that is heard of by what it writes, as a Java node that has met this one, is
// asked for what else it has.
func TestTribesMetByAWrite(t *testing.T) {
	tribesKinds(t, func(t *testing.T, f *farm) {
		b := f.start("b")[0]
		b.put("k", "1")
		time.Sleep(recentTime + time.Second)
		f.start("a")[0].stop()
		f.net.Isolate("a")
		a := f.start("a")[0]
		f.net.Heal()
		must(t, a.g.WaitMembers(context.Background(), 1))
		e := b.rep.(*tribesMap)
		e.mu.Lock()
		e.listed[a.g.Local().ID()] = true // Java nodes do not tell whose their entries are
		e.mu.Unlock()
		e.found(a.g.Local(), false)
		b.put("new", "1")
		time.Sleep(10 * time.Second)
		if a.get("k") != "1" || a.get("new") != "1" {
			t.Errorf("a has %v", a.all())
		}
		a.stop()
		b.stop()
	})
}

// A node that tells too late that it has the map, and hears that this one starts, is asked
// for its entries.
func TestTribesStateOfWhoHearsTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := tribesFarm(t)
		java := f.member("java")
		rpc, err := java.RPC("m")
		must(t, err)
		answer := func(m *tribeswire.Message) group.Body {
			m.Map, m.Primary = []byte("m"), java.Local()
			return group.Body{Kind: group.BodyObject, Object: m.Object()}
		}
		remove, err := rpc.HandleBody(func(_ context.Context, req *group.Request) (group.Body, error) {
			m, err := tribeswire.Of(req.Object)
			if err != nil {
				return group.Body{Kind: group.BodyNull}, err
			}
			switch m.Type {
			case tribeswire.Start:
				return answer(&tribeswire.Message{Type: m.Type}), nil
			case tribeswire.StateCopy:
				list, err := tribeswire.ListValue([]*tribeswire.Message{{Type: tribeswire.Copy, Map: []byte("m"), Key: inJava(t, "k"), Value: inJava(t, "1"), Primary: java.Local()}})
				return answer(&tribeswire.Message{Type: m.Type, Value: list}), err
			}
			return group.Body{Kind: group.BodyNull}, nil
		}, group.HandlerConfig{})
		must(t, err)
		a := f.start("a")[0]
		if a.get("k") != "1" {
			t.Errorf("a has %v", a.all())
		}
		a.stop()
		remove()
		must(t, java.Stop(context.Background()))
	})
}

// Who begins to have the map while all are asked whether they have it is not taken for one
// that has not, because it had not when it was asked.
func TestTribesAnswerBeforeTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := tribesFarm(t).start("a", "b")
		a, b := all[0], all[1].g.Local()
		e := a.rep.(*tribesMap)
		e.gone(b.ID(), false)
		e.asksAll()
		answers := []group.Answer{{Member: b, Outcome: group.CallNoHandler}}
		e.found(b, false)
		e.absent(answers)
		if n := a.Stats().Members; n != 1 {
			t.Errorf("%d members", n)
		}
		e.asksAll()
		e.absent(answers)
		if n := a.Stats().Members; n != 0 {
			t.Errorf("%d members", n)
		}
		for _, n := range all {
			n.stop()
		}
	})
}

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

// With Lazy a member that is first heard of by what it writes is not merged with at that
// moment: what is here is older. (Seed 1089 of TestLazySimulation.)
func TestLazyWriterIsNotMergedWith(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := lazyFarm(t).start("a", "b")
		a, b := all[0].rep.(*tribesMap), all[1].g.Local()
		a.mu.Lock()
		a.others = nil // it has not heard of b
		a.mu.Unlock()
		x := &tribeswire.Message{Type: tribeswire.Backup, Key: inJava(t, "k"), Value: inJava(t, "v"), Primary: b}
		a.heard(x, b, time.Now().UnixMilli())
		if _, n := a.members(); n != 1 || a.apart(b) {
			t.Errorf("%d members, merges %v", n, a.apart(b))
		}
		for _, n := range all {
			n.stop()
		}
	})
}
