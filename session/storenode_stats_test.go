package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// What happens among store nodes is counted: one that does not answer, and sessions that
// move to one that comes.
func TestStoreNodesCount(t *testing.T) {
	inGrid(t, StoreNodeConfig{}, 2, func(t *testing.T, f *grid, nodes []*storage) {
		c := f.client("web")
		save := func(prefix string) {
			for i := range 20 {
				must(t, c.Save(context.Background(), &store.Session{ID: fmt.Sprint(prefix, i), Version: 1, Accessed: time.Now(), Timeout: time.Hour}, 0))
			}
		}
		save("a")
		if a, b := nodes[0].Stats(), nodes[1].Stats(); a.LeftOut+b.LeftOut+a.Moved+b.Moved+a.Alone+b.Alone > 0 {
			t.Errorf("nothing has happened: %+v, %+v", a, b)
		}
		f.net.Cut("n1", "n2")
		f.net.Cut("n2", "n1")
		save("b")
		if a, b := nodes[0].Stats(), nodes[1].Stats(); a.LeftOut+b.LeftOut == 0 || a.Alone+b.Alone == 0 {
			t.Errorf("a cut between the two: %+v, %+v", a, b)
		}
		f.net.Heal()
		time.Sleep(time.Minute)
		third := f.node("n3")
		time.Sleep(time.Minute)
		if s := third.Stats(); s.Sessions != 40 || s.Held == 0 {
			t.Errorf("a node that came: %+v", s)
		}
		nodes[0].crash()
		time.Sleep(time.Minute)
		if b, c := nodes[1].Stats(), third.Stats(); b.Held != 40 || c.Held != 40 || b.Moved+c.Moved == 0 {
			t.Errorf("a node that has crashed: %+v, %+v: want all 40 on the other two", b, c)
		}
	})
}

// A client that is closed ends calls that wait for a node that does not answer.
func TestClosedClientWaitsForNoNode(t *testing.T) {
	inGrid(t, StoreNodeConfig{}, 2, func(t *testing.T, f *grid, _ []*storage) {
		c := f.client("web")
		f.net.Isolate("web")
		var call sync.WaitGroup
		var took time.Duration
		call.Go(func() {
			begin := time.Now()
			if _, err := c.Load(context.Background(), "s"); !errors.Is(err, ErrClosed) {
				t.Errorf("error %v, want ErrClosed", err)
			}
			took = time.Since(begin)
		})
		time.Sleep(100 * time.Millisecond)
		must(t, c.Close())
		call.Wait()
		if took > 200*time.Millisecond {
			t.Errorf("the call ended after %v", took)
		}
	})
}
