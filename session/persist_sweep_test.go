package session

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/sessiontest"
)

// A store that takes minutes to remove what has expired holds up no saves: a crash costs what
// SaveWithin says.
func TestPersistSlowExpire(t *testing.T) {
	inOffice(t, func(c *Config) { c.Persist.SaveAfterIdle = -1 }, func(o *office) {
		a := o.node()
		c := newClient(t, a)
		c.with(func(s *Session) { must(t, Set(s, "n", 1)) })
		begun := make(chan struct{}, 100)
		o.store.Inject(sessiontest.Faults{Before: func(ctx context.Context, c sessiontest.Call) error {
			if c.Method == "Expire" {
				begun <- struct{}{}
				<-ctx.Done()
			}
			return ctx.Err()
		}})
		<-begun
		c.with(func(s *Session) { must(t, Set(s, "n", 2)) })
		time.Sleep(time.Minute + 20*time.Second)
		o.crash(a)
		c.on(o.node()).with(func(s *Session) {
			if n := get[int](t, s, "n"); n != 2 {
				t.Errorf("n is %d, and SaveWithin is over", n)
			}
		})
	})
}
