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
// is told that ends the session.
func TestSlowMemberAsks(t *testing.T) {
	for _, backups := range []int{0, 1} {
		t.Run(fmt.Sprint(backups, " backups"), func(t *testing.T) {
			withBackups(t, 2, backups, func(t *testing.T, f *farm, all []*node) {
				slowMember(t, f, all[0], all[1])
			})
		})
	}
}

func slowMember(t *testing.T, f *farm, a, b *node) {
	id := "s" // that a decides about
	for i := 0; a.m.Primary(id).ID() != a.g.Local().ID(); i++ {
		id = fmt.Sprint("s", i)
	}
	f.net.SetLink("n1", "n2", mem.Link{Delay: 900 * time.Millisecond}) // a budget is 500 ms
	a.save(id, "o", 1, 0, time.Hour)                                   // leaves n2 out
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
