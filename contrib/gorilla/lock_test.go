package gorilla

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/session/sessiontest"
)

// A Save waits for those of its own session, not for others, however long these take.
func TestSaveWaitsForItsOwnSessionOnly(t *testing.T) {
	kept := sessiontest.NewStore()
	const many = 100
	s, _ := newStore(t, session.Config{Persist: &session.Persist{Store: kept, EachRequest: true, Timeout: 20 * time.Second, Calls: many}})
	browsers := make([]*browser, many)
	for i := range browsers {
		browsers[i] = newBrowser(t)
		browsers[i].with(s, "cart", func(x *sessions.Session) { x.Values["v"] = 1 })
	}
	var inside atomic.Int64
	all := make(chan struct{}) // closed when all saves are in the store at the same time
	kept.Inject(sessiontest.Faults{Before: func(ctx context.Context, c sessiontest.Call) error {
		if c.Method == "Save" && inside.Add(1) == many {
			close(all)
		}
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			t.Errorf("%d of %d saves are in the store", inside.Load(), many)
			return ctx.Err()
		}
	}})
	var wg sync.WaitGroup
	for _, b := range browsers {
		wg.Go(func() {
			r, x := b.get(s, "cart")
			x.Values["v"] = 2
			if _, err := b.save(r, x); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(s.locks.of); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}
