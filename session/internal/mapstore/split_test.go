package mapstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/replmap"
	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/transport/mem"
)

// letters is a merge: the bytes of both, in order.
func letters(a, b *store.Session) (*store.Session, error) {
	all := slices.Concat(a.Data, b.Data)
	slices.Sort(all)
	return &store.Session{Data: slices.Compact(all), Timeout: max(a.Timeout, b.Timeout)}, nil
}

// inBubble runs a test with members that merge, in virtual time.
func inBubble(t *testing.T, members int, f func(t *testing.T, f *farm, all []*node)) {
	withBackups(t, members, 0, f)
}

func withBackups(t *testing.T, members, backups int, f func(t *testing.T, f *farm, all []*node)) {
	bubble.Test(t, func(t *testing.T) {
		farm := newFarm(t, func(c *Config) { c.Merge, c.Backups = letters, backups })
		var all []*node
		for range members {
			all = append(all, farm.start())
		}
		f(t, farm, all)
	})
}

func (n *node) save(id, data string, version, base uint64, timeout time.Duration) {
	n.f.t.Helper()
	s := &store.Session{ID: id, Data: []byte(data), Version: version, Accessed: time.Now(), Timeout: timeout}
	if err := n.Save(context.Background(), s, base); err != nil {
		n.f.t.Fatalf("%s saves %s: %v", n.name, id, err)
	}
}

// is checks what a node has of a session; an empty text is nothing.
func (n *node) is(id, data string) *store.Session {
	n.f.t.Helper()
	s, err := n.Load(context.Background(), id)
	switch {
	case data == "" && errors.Is(err, store.ErrNotFound):
	case err != nil:
		n.f.t.Errorf("%s: load of %s: %v, want %q", n.name, id, err, data)
	case string(s.Data) != data:
		n.f.t.Errorf("%s: %s is %q, want %q", n.name, id, s.Data, data)
	}
	return s
}

// apart cuts two nodes off from each other, and waits until they know it.
func (f *farm) apart(a, b *node, then func()) {
	f.net.Isolate(b.name)
	time.Sleep(10 * time.Second)
	then()
	f.net.Heal()
	time.Sleep(10 * time.Second)
}

// Of two saves of one session on both sides of a partition nothing is lost, and the result
// has a version that neither side has: each finds that its copy is old.
func TestSplitMerges(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, f *farm, all []*node) {
		a, b := all[0], all[1]
		a.save("s", "o", 1, 0, time.Hour)
		f.apart(a, b, func() {
			a.save("s", "ao", 2, 1, time.Hour)
			b.save("s", "bo", 2, 1, time.Hour)
			b.save("s", "bco", 3, 2, time.Hour)
		})
		x, y := a.is("s", "abco"), b.is("s", "abco")
		if x.Version <= 3 || x.Version != y.Version {
			t.Errorf("versions %d and %d, want the same one above 3", x.Version, y.Version)
		}
		if err := b.Save(context.Background(), &store.Session{ID: "s", Data: []byte("x"), Version: 4, Accessed: time.Now()}, 3); !errors.Is(err, store.ErrConflict) {
			t.Errorf("save on a version from before the merge: %v", err)
		}
	})
}

// With backups it is the same, and what was deleted on one side is gone.
func TestSplitWithBackups(t *testing.T) {
	withBackups(t, 4, 1, func(t *testing.T, f *farm, all []*node) {
		a, b := all[0], all[2]
		for i := range 12 { // with all pairs of holders
			a.save(fmt.Sprint("s", i), "o", 1, 0, time.Hour)
			a.save(fmt.Sprint("x", i), "o", 1, 0, time.Hour)
		}
		f.net.Partition([]string{"n1", "n2"}, []string{"n3", "n4"})
		time.Sleep(10 * time.Second)
		both := 0
		for i := range 12 {
			s, x := fmt.Sprint("s", i), fmt.Sprint("x", i)
			if !a.has(s) || !b.has(s) || !a.has(x) || !b.has(x) {
				continue // both holders are on one side: the other knows that it has not what there is
			}
			both++
			a.save(s, "ao", 2, 1, time.Hour)
			b.save(s, "bo", 2, 1, time.Hour)
			b.save(s, "bco", 3, 2, time.Hour)
			if err := a.Delete(context.Background(), x); err != nil {
				t.Error(err)
			}
			b.save(x, "bo", 2, 1, time.Hour)
			defer func() {
				for _, n := range all {
					n.is(s, "abco")
					n.is(x, "")
				}
			}()
		}
		if both == 0 {
			t.Fatal("no session had a holder on each side")
		}
		f.net.Heal()
		time.Sleep(2 * time.Minute)
	})
}

// has reports whether a node can load a session.
func (n *node) has(id string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := n.Load(ctx, id)
	return err == nil
}

// A session that is touched on one side and saved on the other is what was saved, in its
// version.
func TestSplitTouchIsNoSave(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, f *farm, all []*node) {
		a, b := all[0], all[1]
		a.save("s", "o", 1, 0, time.Hour)
		var touched time.Time
		f.apart(a, b, func() {
			b.save("s", "bo", 2, 1, time.Hour)
			time.Sleep(time.Minute)
			touched = time.Now().Truncate(time.Millisecond)
			if err := a.Touch(context.Background(), "s", touched); err != nil {
				t.Error(err)
			}
		})
		for _, n := range all {
			if s := n.is("s", "bo"); s.Version != 2 || !s.Accessed.Equal(touched) {
				t.Errorf("%s: version %d, accessed %v, want 2, %v", n.name, s.Version, s.Accessed, touched)
			}
		}
	})
}

// What one side of a partition deletes is gone, whatever the other saves meanwhile; what
// has only expired there is not.
func TestSplitDeletesAndExpires(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, f *farm, all []*node) {
		a, b := all[0], all[1]
		ctx := context.Background()
		a.save("out", "o", 1, 0, time.Hour)
		a.save("used", "o", 1, 0, time.Minute)
		a.save("both", "o", 1, 0, time.Minute)
		f.apart(a, b, func() {
			b.save("used", "bo", 2, 1, time.Minute) // once, then only a has visitors
			if err := a.Delete(ctx, "out"); err != nil {
				t.Error(err)
			}
			b.save("out", "bo", 2, 1, time.Hour)
			a.save("used", "ao", 2, 1, time.Minute)
			for range 10 {
				time.Sleep(20 * time.Second)
				if err := a.Touch(ctx, "used", time.Now()); err != nil {
					t.Error(err)
				}
			}
			b.is("used", "")
		})
		for _, n := range all {
			n.is("out", "")
			n.is("both", "")
			n.is("used", "ao")
		}
		time.Sleep(2 * time.Minute)
		for _, n := range all {
			n.is("used", "")
			if s := n.Stats(); s.Entries != 1 {
				t.Errorf("%s: %d entries, want that of the deletion", n.name, s.Entries)
			}
			for id := range n.IDs(ctx) {
				t.Errorf("%s lists %s", n.name, id)
			}
		}
	})
}

// A save that does not wait for all members is seen by whoever loads after it, also on a
// member that has not heard of it.
func TestLoadAsksThePrimary(t *testing.T) {
	for _, backups := range []int{0, 1} {
		bubble.Test(t, func(t *testing.T) {
			f := newFarm(t, func(c *Config) { c.Wait, c.Backups = replmap.WaitOne, backups })
			all := []*node{f.start(), f.start(), f.start()}
			f.net.SetLink("n1", "n3", mem.Link{Delay: 400 * time.Millisecond})
			f.net.SetLink("n2", "n3", mem.Link{Delay: 400 * time.Millisecond})
			for i := range 12 { // of every primary
				id := fmt.Sprint("s", i)
				for v := range uint64(4) {
					n := all[(i+int(v))%3]
					if v > 0 {
						n.is(id, fmt.Sprint(v))
					}
					n.save(id, fmt.Sprint(v+1), v+1, v, time.Hour)
				}
			}
		})
	}
}

// A save that is repeated with its number is no conflict, neither at once nor after a later
// save, and it does not bring back what was deleted.
func TestSaveOnce(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, f *farm, all []*node) {
		a, b := all[0], all[1]
		ctx, once := context.Background(), NewOnce()
		s := &store.Session{ID: "s", Data: []byte("1"), Version: 1, Accessed: time.Now(), Timeout: time.Hour}
		for _, n := range []*node{a, b, a} {
			if err := n.SaveOnce(ctx, s, 0, once, 0); err != nil {
				t.Error(err)
			}
		}
		if err := b.SaveOnce(ctx, s, 0, NewOnce(), 0); !errors.Is(err, store.ErrConflict) {
			t.Errorf("another save of the same bytes: %v", err)
		}
		if err := b.Delete(ctx, "s"); err != nil {
			t.Error(err)
		}
		if err := a.SaveOnce(ctx, s, 0, once, 0); err != nil {
			t.Error(err)
		}
		a.is("s", "")
		a.save("s", "2", 1, 0, time.Hour) // a new one of that id
		b.is("s", "2")
		if err := a.SaveOnce(ctx, s, 0, once, 0); err != nil {
			t.Error(err)
		}
		for v := range uint64(maxOnces) {
			a.save("s", "n", v+2, v+1, time.Hour)
		}
		if err := a.SaveOnce(ctx, s, 0, once, 0); !errors.Is(err, store.ErrConflict) {
			t.Errorf("after many others: %v", err)
		}
	})
}

// A member that crashes takes no session with it, and saves go on.
func TestCrash(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, f *farm, all []*node) {
		ids := []string{"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"} // of every primary
		for i, id := range ids {
			all[i%3].save(id, "1", 1, 0, time.Hour)
		}
		f.net.Crash(all[2].name)
		for i, id := range ids {
			all[i%2].save(id, "2", 2, 1, time.Hour)
		}
		for _, id := range ids {
			all[0].is(id, "2")
			all[1].is(id, "2")
		}
	})
}

// The lifetime of an entry is what is left of the timeout, whatever the clocks say.
func TestLifetime(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, tt := range []struct {
		timeout, age, want time.Duration
	}{
		{0, time.Hour, 0},
		{time.Minute, 10 * time.Second, 50 * time.Second},
		{time.Minute, time.Minute, time.Millisecond},
		{time.Minute, 1<<63 - 1, time.Millisecond},
		{time.Minute, -time.Second, 61 * time.Second},
		{time.Minute, -1 << 63, longest},
		{1<<63 - 1, time.Hour, longest},
		{1<<63 - 1, -1 << 63, longest},
		{39 * year, -30 * year, longest},
	} {
		v := made(&store.Session{ID: "s", Version: 1, Timeout: tt.timeout})
		if got := v.lifetime(tt.age); got != tt.want {
			t.Errorf("timeout %v, used %v ago: lifetime %v, want %v", tt.timeout, tt.age, got, tt.want)
		}
	}
}

// What is decoded is encoded to the same bytes, except for numbers that are longer than
// they need to be; nothing panics.
func FuzzDecode(f *testing.F) {
	for _, v := range []saved{{deleted: true, onces: []Once{{7}}}, {version: 1}, {onces: []Once{{9}, {8}}, version: 300, accessed: -5, timeout: 1800000, data: []byte("data")}} {
		b, err := codec{}.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := codec{}.Decode(b)
		if err != nil {
			return
		}
		again, err := codec{}.Append(nil, v)
		if err != nil || len(again) > len(b) {
			t.Fatalf("%x, %v", again, err)
		}
		w, err := codec{}.Decode(again)
		if err != nil || w.version != v.version || w.accessed != v.accessed || w.timeout != v.timeout || !slices.Equal(w.onces, v.onces) || string(w.data) != string(v.data) {
			t.Fatalf("%+v became %+v, %v", v, w, err)
		}
	})
}
