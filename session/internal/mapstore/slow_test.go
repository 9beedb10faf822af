package mapstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/transport/mem"
)

// A member that is slow and that saves do not wait for any more does not say of a session of
// which it has not heard yet that there is none, nor that a save of it was overtaken: whoever
// is told that ends the session. Whether it is the session's primary or not.
func TestSlowMemberAsks(t *testing.T) {
	for _, backups := range []int{0, 1} {
		for _, slowIsPrimary := range []bool{false, true} {
			t.Run(fmt.Sprint(backups, slowIsPrimary), func(t *testing.T) {
				withBackups(t, 2, backups, func(t *testing.T, f *farm, all []*node) {
					slowMember(t, f, all[0], all[1], slowIsPrimary)
				})
			})
		}
	}
}

func slowMember(t *testing.T, f *farm, a, b *node, slowIsPrimary bool) {
	of := func(n *node) string { // an id that it decides about
		for i := 0; ; i++ {
			if id := fmt.Sprint("s", i); a.m.Primary(id).ID() == n.g.Local().ID() {
				return id
			}
		}
	}
	first, second := of(a), of(b)
	f.net.SetLink("n1", "n2", mem.Link{Delay: 900 * time.Millisecond}) // a budget is 500 ms
	a.save(first, "o", 1, 0, time.Hour)                                // leaves n2 out
	id := first
	if slowIsPrimary {
		id = second
		a.save(id, "o", 1, 0, time.Hour)
	}
	if _, err := b.Load(context.Background(), id); err != nil {
		t.Errorf("Load of what was saved on the other member: %v", err)
	}
	err := b.Save(context.Background(), &store.Session{ID: id, Data: []byte("p"), Version: 2, Accessed: time.Now(), Timeout: time.Hour}, 1)
	if errors.Is(err, store.ErrConflict) {
		t.Errorf("Save upon what was saved on the other member: %v", err)
	}
	f.net.SetLink("n1", "n2", mem.Link{Delay: time.Millisecond})
	time.Sleep(5 * time.Second)
}
