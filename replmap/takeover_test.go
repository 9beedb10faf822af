package replmap

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
)

// A primary that has died is missed by one member at once, and by the others when their
// time is over. The next primary is told by the first who asks it for a decision.
func TestBackupsDecideSoonAfterACrash(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		f.in = func(string) []channel.Interceptor { return []channel.Interceptor{new(interceptor.TCPFailureDetector)} }
		all := f.start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		key := ""
		for i := 0; key == ""; i++ {
			k := fmt.Sprint("k", i)
			h := b.Holders(k)
			if h[0].ID() == a.g.Local().ID() && h[1].ID() == c.g.Local().ID() {
				key = k
			}
		}
		b.put(key, "old")
		time.Sleep(15 * time.Second) // nobody has a reason to greet anybody
		crashAll(a)
		begun := time.Now()
		for _, err := b.CompareAndSwap(t.Context(), key, "old", "new"); err != nil; {
			if !errors.Is(err, ErrUncertain) {
				t.Fatal(err)
			}
			_, err = b.CompareAndSwap(t.Context(), key, "old", "new")
		}
		if took := time.Since(begun); took > 500*time.Millisecond {
			t.Errorf("decided in %v, want it within 500 ms", took)
		}
		stopAll(b, c)
	})
}

// A member does not serve before all others know that it has everything: who does not would
// not wait for it.
func TestReadyWhenAllKnow(t *testing.T) {
	for _, n := range []int{0, 1} {
		t.Run(fmt.Sprint(n, " backups"), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFarm(t, func(c *Config[string, string]) { c.Backups, c.Budget = n, 10*time.Second })
				all := f.start("a", "b")
				for i := range 20 {
					all[0].put(fmt.Sprint("k", i), "old")
				}
				c := f.boot("c")
				time.Sleep(time.Second) // it is in the views of all
				f.net.Cut("c", "b")
				time.AfterFunc(300*time.Millisecond, f.net.Heal)
				must(t, c.Start(t.Context()))
				for i := range 20 {
					key := fmt.Sprint("k", i)
					all[1].put(key, "new")
					if got := c.get(key); got != "new" {
						t.Errorf("%s is %s on the member that has just started", key, got)
					}
				}
				stopAll(append(all, c)...)
			})
		})
	}
}
