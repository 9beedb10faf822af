package simulation

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// Many members that start within two seconds are one group; they are again after
// a partition and the crash of every tenth.
func TestManyMembers(t *testing.T) {
	count := size(30, 100, 300)
	bubble.Seeded(t, "", 1, func(t *testing.T) {
		w := newWorld(1)
		w.quiet, w.names = true, nil
		w.net.SetLinks(mem.Link{Delay: time.Millisecond, Jitter: 5 * time.Millisecond})
		for i := range count {
			w.names = append(w.names, fmt.Sprint("m", i))
			w.start(w.names[i])
			time.Sleep(2 * time.Second / time.Duration(count))
		}
		w.together(t, 2*time.Second)
		w.net.Partition(w.names[:count/3], w.names[count/3:])
		time.Sleep(10 * time.Second)
		for i := 0; i < count; i += 10 {
			w.crash(w.names[i])
		}
		time.Sleep(5 * time.Second)
		w.net.Heal()
		w.together(t, settled)
		for _, name := range []string{w.names[1], w.names[count-1]} {
			w.reach(w.running[name])
		}
		for _, name := range w.names {
			if w.running[name] != nil {
				w.end(name)
			}
		}
		for _, what := range w.wrong {
			t.Error(what)
		}
	})
}

// together waits until all see all, and says how long that took.
func (w *world) together(t *testing.T, bound time.Duration) {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	for name, n := range w.running {
		if err := n.g.WaitView(ctx, n.seesAll); err != nil {
			t.Fatalf("%s sees %d of %d others after %v", name, n.g.View().Len(), len(w.running)-1, bound)
		}
	}
	t.Logf("%d members see each other after %v", len(w.running), time.Since(begun))
}
