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
