package replmap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A member that leaves while others write has handed over soon: an entry that somebody has
// written again meanwhile is not missing where it is to be.
func TestHandOverUnderLoad(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		all := f.start("a", "b", "c")
		const keys = 60
		for i := range keys {
			all[i%3].put(fmt.Sprint("k", i), "0")
		}
		time.Sleep(10 * time.Second)
		var over atomic.Bool
		var longest atomic.Int64
		var writers sync.WaitGroup
		for w := range 20 {
			writers.Go(func() {
				n := all[1+w%2]
				for i := w; !over.Load(); i += 20 {
					key := fmt.Sprint("k", i%keys)
					begin := time.Now()
					old, _, err := n.Get(context.Background(), key)
					must(t, err)
					if _, err = n.CompareAndSwap(context.Background(), key, old, fmt.Sprint(i)); !errors.Is(err, ErrUncertain) {
						must(t, err)
					}
					if took := int64(time.Since(begin)); took > longest.Load() {
						longest.Store(took)
					}
				}
			})
		}
		time.Sleep(time.Second)
		begin := time.Now()
		all[0].stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("to leave took %v", took)
		}
		over.Store(true)
		writers.Wait()
		if l := time.Duration(longest.Load()); l > time.Second {
			t.Errorf("a write took %v", l)
		}
		stopAll(all[1:]...)
	})
}

// Who asks a member that leaves the map for a decision knows what became of it.
func TestLeavingIsNotUncertain(t *testing.T) {
	for backups := range 2 {
		inBubble(t, func(t *testing.T) {
			f := newFarm(t, func(c *Config[string, string]) { c.Backups = backups })
			all := f.start("a", "b", "c")
			time.Sleep(10 * time.Second)
			for range 5 {
				keys := absentKeys(all[0], 40)
				var over atomic.Bool
				var writers sync.WaitGroup
				for i, key := range keys {
					n := all[1+i%2]
					writers.Go(func() {
						for !over.Load() {
							_, err := n.Update(t.Context(), key, func(old string, _ bool) (string, bool, error) { return old + "+", true, nil })
							must(t, err)
						}
					})
				}
				time.Sleep(50 * time.Millisecond)
				must(t, all[0].Close(t.Context())) // and its group is there for a moment
				time.Sleep(50 * time.Millisecond)
				over.Store(true)
				writers.Wait()
				all[0].stop()
				all[0] = f.start("a")[0]
				time.Sleep(10 * time.Second)
			}
			stopAll(all...)
		})
	}
}
