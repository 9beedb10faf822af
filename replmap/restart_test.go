package replmap

import (
	"fmt"
	"testing"
	"time"
)

// What is sent to a member that has crashed is taken and acknowledged by the process that is
// started in its place: that is one copy of a value, not two. (Seed 178 of
// TestBackupsSimulation.)
func TestRestartedMemberCountsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		all := f.start("a", "b", "c")
		a, c := all[0], all[2]
		time.Sleep(10 * time.Second)
		crashAll(all[1])
		b := f.start("b")[0]
		for a.rep.(*native).peers.Get(b.g.Local().ID()) == nil {
			time.Sleep(time.Millisecond)
		}
		for i := range 60 {
			key := fmt.Sprint("k", i)
			a.put(key, "v")
			copies := 0
			for _, n := range []*node{a, b, c} {
				k, err := n.key(key)
				must(t, err)
				if e, there := n.r.table.Peek(k); there && !e.Proxy {
					copies++
				}
			}
			if copies < 2 {
				t.Errorf("%s is on %d members that live", key, copies)
			}
		}
		stopAll(a, b, c)
	})
}
