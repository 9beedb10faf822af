package replmap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// absentKeys returns keys without an entry that a member decides about.
func absentKeys(n *node, count int) (keys []string) {
	for i := 0; len(keys) < count; i++ {
		if key := fmt.Sprint("absent", i); n.Primary(key).ID() == n.g.Local().ID() {
			keys = append(keys, key)
		}
	}
	return keys
}

// A primary asks the others before it says that there is no entry, all that is asked for at
// the same time at once: a thousand questions for what never was cost few messages.
func TestAbsentIsConfirmedTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := newFarm(t, nil).start("a", "b", "c")
		a := all[0]
		time.Sleep(time.Minute)
		before := a.f.net.Stats()
		var questions sync.WaitGroup
		for _, key := range absentKeys(a, 1000) {
			questions.Go(func() {
				swapped, err := a.CompareAndSwap(context.Background(), key, "old", "new")
				must(t, err)
				if swapped {
					t.Errorf("%s is swapped, which never was", key)
				}
			})
		}
		questions.Wait()
		if n := a.f.net.Stats().Delivered - before.Delivered; n > 100 {
			t.Errorf("%d messages for 1000 questions", n)
		}
		stopAll(all...)
	})
}

// While a member that counts does not answer, the primary does not say that there is no entry.
func TestAbsentIsNotGuessed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		a := all[0]
		key := absentKeys(a, 1)[0]
		f.net.Cut("b", "a") // what b says is lost, and nobody knows yet
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := a.CompareAndSwap(ctx, key, "old", "new"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
		f.net.Heal()
		swapped, err := a.CompareAndSwap(context.Background(), key, "old", "new")
		must(t, err)
		if swapped {
			t.Error("swapped what never was")
		}
		stopAll(all...)
	})
}

// Members that ask each other about many keys at once, none of which there is, do not wait for
// each other's answers with all that they may do at a time.
func TestAbsentCrossed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := newFarm(t, nil).start("a", "b")
		begun := time.Now()
		var questions sync.WaitGroup
		for i, n := range all {
			for _, key := range absentKeys(all[1-i], 4*maxBusy) {
				questions.Go(func() {
					_, err := n.CompareAndSwap(context.Background(), key, "old", "new")
					must(t, err)
				})
			}
		}
		questions.Wait()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
		stopAll(all...)
	})
}
