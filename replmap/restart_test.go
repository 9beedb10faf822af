package replmap

import (
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

// A member that has crashed, and that the group takes back for a moment because of an old
// heartbeat, does not push out the process that was started in its place.
func TestGhostPushesNobodyOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		a, old := all[0], all[1].g.Local()
		time.Sleep(10 * time.Second)
		crashAll(all[1])
		time.Sleep(10 * time.Second)
		b := f.start("b")[0]
		n := a.rep.(*native)
		n.peers.MemberEvent(t.Context(), membership.Event{Kind: membership.Joined, Member: old})
		if n.peers.Get(b.g.Local().ID()) == nil || n.peers.Get(old.ID()) != nil {
			t.Errorf("peers are %v", n.peers.All())
		}
		a.put("k", "v")
		if b.get("k") != "v" {
			t.Errorf("k is %s", b.get("k"))
		}
		stopAll(a, b)
	})
}

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
