package memcached

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// A member of Hazelcast whose machine is gone, so that nothing answers, not even that there is
// nobody, takes no session with it: the others serve them, also to many calls at a time, and
// with little delay once that was seen.
func TestUnreachableMemberIsPassedOver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFake(true)
		s := f.open(t, Config{Conns: 4})
		dial, back := s.config.Dial, make(chan struct{})
		s.config.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "gone:1" {
				select {
				case <-back:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return dial(ctx, network, addr)
		}
		gone := newServer("gone:1", &s.config)
		s.servers = append(s.servers, gone)
		round := func(version uint64, most time.Duration) {
			begin := time.Now()
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
					defer cancel()
					if err := s.Save(ctx, saved(fmt.Sprint("s", i), version), version-1); err != nil {
						t.Errorf("Save of s%d, version %d: %v", i, version, err)
					}
				})
			}
			all.Wait()
			if d := time.Since(begin); d > most {
				t.Errorf("version %d took %v, want up to %v", version, d, most)
			}
		}
		round(1, 1100*time.Millisecond)
		round(2, 100*time.Millisecond)
		close(back)
		time.Sleep(2 * pause)
		round(3, 100*time.Millisecond)
		round(4, 100*time.Millisecond)
		if len(gone.idle) == 0 {
			t.Error("a member that is back is not asked")
		}
		s.servers[0].clear(false)
		gone.clear(false)
		s.config.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
		if _, err := s.Load(t.Context(), "s1"); err == nil {
			t.Error("Load without any")
		}
	})
}

// silent is a connection that nothing gets through once the machine at its other end is gone.
type silent struct {
	net.Conn
	gone *atomic.Bool
}

func (c silent) Write(p []byte) (int, error) {
	if c.gone.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// When a machine has gone silently, what is known of it at the first call that it does not
// answer holds for all connections to it: not each costs a call.
func TestConnectionsToSilentMachine(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFake(true)
		s := f.open(t, Config{Conns: 4})
		var gone atomic.Bool
		dial := s.config.Dial
		s.config.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "gone:1" {
				return dial(ctx, network, addr)
			}
			if gone.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			c, err := dial(ctx, network, addr)
			return silent{c, &gone}, err
		}
		s.servers = append(s.servers, newServer("gone:1", &s.config))
		f.before = func(string) { time.Sleep(time.Millisecond) } // so that each server gets all connections
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if err := s.Save(t.Context(), saved(fmt.Sprint("s", i), 1), 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(s.servers[1].idle); n != 4 {
			t.Fatalf("%d connections; nothing is tested", n)
		}
		gone.Store(true)
		failed := 0
		for i := range 40 {
			if _, err := s.Load(t.Context(), fmt.Sprint("s", i)); err != nil {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%d calls have failed, want 1", failed)
		}
	})
}
