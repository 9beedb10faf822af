package replmap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// log collects events as text.
type log struct {
	mu  sync.Mutex
	all []string
}

func (l *log) add(_ context.Context, e Event[string, string]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%v %s %s>%s", e.Kind, e.Key, e.Old, e.New))
}

// take returns what has come, when nothing more comes.
func (l *log) take() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// A watcher is told of what is there, then of everything that any member does.
func TestWatch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		a, b := all[0], all[1]
		ctx := context.Background()
		a.put("k", "1")
		var every, one, before log
		stop := b.Watch(every.add)
		stopOne := b.WatchKey("k", one.add)
		c := f.boot("c")
		stopBefore := c.Watch(before.add)
		must(t, c.Start(ctx))
		check := func(l *log, want ...string) {
			t.Helper()
			if got := l.take(); !slices.Equal(got, want) {
				t.Errorf("told of %q, want %q", got, want)
			}
		}
		check(&every, "added k >1")
		check(&before, "added k >1")
		a.put("k", "2")
		check(&every, "changed k 1>2")
		a.put("other", "x")
		check(&every, "added other >x")
		_, err := b.Delete(ctx, "k")
		must(t, err)
		check(&every, "removed k 2>")
		check(&one, "added k >1", "changed k 1>2", "removed k 2>")
		must(t, a.PutFor(ctx, "k", "3", time.Second))
		time.Sleep(3 * time.Second)
		check(&every, "added k >3", "expired k 3>")
		stop()
		a.put("k", "4")
		check(&every)
		stopOne()
		stopBefore()
		for _, n := range []*node{a, b, c} {
			n.stop()
		}
	})
}

// A slow watcher is told of the difference, not of each step, and what came and went is
// not told at all.
func TestSlowWatcher(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newFarm(t, nil).start("a")[0]
		ctx := context.Background()
		block := make(chan struct{})
		var l log
		n.put("k", "0")
		stop := n.Watch(func(ctx context.Context, e Event[string, string]) {
			l.add(ctx, e)
			<-block
		})
		synctest.Wait()
		for i := range 100 {
			n.put("k", fmt.Sprint(i))
			n.put("gone", "x")
		}
		_, err := n.Delete(ctx, "gone")
		must(t, err)
		close(block)
		if got, want := l.take(), []string{"added k >0", "changed k 0>99"}; !slices.Equal(got, want) {
			t.Errorf("told of %q, want %q", got, want)
		}
		stop()
		n.stop()
	})
}

// Everything may be called inside of a watcher, Close too.
func TestCloseInsideWatcher(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newFarm(t, nil).start("a")[0]
		done := make(chan error, 1)
		n.Watch(func(ctx context.Context, e Event[string, string]) {
			if e.Key == "k" {
				done <- errors.Join(n.Put(ctx, "other", "v"), n.Close(ctx))
			}
		})
		n.put("k", "v")
		must(t, <-done)
		n.stop()
	})
}

// What is not there is loaded once and then everywhere; what is written is stored where it
// is written, before anybody sees it; an error of the store prevents the write.
func TestLoadAndStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var mu sync.Mutex
		disk, loads := map[string]string{"old": "1"}, 0
		f := newFarm(t, func(c *Config[string, string]) {
			c.Load = func(_ context.Context, key string) (string, bool, error) {
				mu.Lock()
				defer mu.Unlock()
				loads++
				v, there := disk[key]
				return v, there, nil
			}
			c.Store = func(_ context.Context, key string, v *string) error {
				mu.Lock()
				defer mu.Unlock()
				if key == "bad" {
					return errors.New("disk is full")
				}
				if v == nil {
					delete(disk, key)
				} else {
					disk[key] = *v
				}
				return nil
			}
		})
		all := f.start("a", "b")
		ctx := context.Background()
		if all[0].get("old") != "1" || all[1].get("old") != "1" || loads != 1 {
			t.Errorf("%v, %v, %d loads", all[0].all(), all[1].all(), loads)
		}
		if all[0].get("none") != "-" || loads != 2 {
			t.Errorf("%d loads", loads)
		}
		all[0].put("k", "v")
		for i := range 4 {
			must(t, add(all[i%2], "n"))
		}
		_, err := all[1].Delete(ctx, "old")
		must(t, err)
		mu.Lock()
		if want := map[string]string{"k": "v", "n": "4"}; fmt.Sprint(disk) != fmt.Sprint(want) {
			t.Errorf("stored: %v", disk)
		}
		mu.Unlock()
		if err := all[0].Put(ctx, "bad", "v"); err == nil || all[1].Len() != 2 {
			t.Errorf("Put = %v, %v", err, all[1].all())
		}
		for _, n := range all {
			if _, put, err := n.PutIfAbsent(ctx, "bad", "v"); err == nil || put {
				t.Errorf("PutIfAbsent = %v, %v", put, err)
			}
		}
		for _, n := range all {
			n.stop()
		}
	})
}
