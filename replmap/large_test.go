package replmap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// A value that does not fit a message is not written, and nobody is left out for it.
func TestValueLargerThanAMessage(t *testing.T) {
	for _, n := range []int{0, 1} {
		inBubble(t, func(t *testing.T) {
			f := backups(t, n, nil)
			f.net = mem.NewNetwork(mem.Config{Seed: 1, MaxFrame: 64 << 10, Link: mem.Link{Delay: time.Millisecond}})
			all := f.start("a", "b")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			large := strings.Repeat("v", 100<<10)
			err := all[0].Put(ctx, "k", large)
			if !errors.Is(err, message.ErrTooLarge) {
				t.Errorf("error %v, want that it is too large", err)
			}
			for _, n := range all { // one of them is the primary
				_, _, err := n.PutIfAbsent(ctx, "l", large)
				if !errors.Is(err, message.ErrTooLarge) {
					t.Errorf("PutIfAbsent: error %v, want that it is too large", err)
				}
			}
			all[0].put("l", "v")
			if s := all[0].Stats(); s.LeftOut > 0 || s.Alone > 0 || s.Current != 1 {
				t.Errorf("%+v", s)
			}
			time.Sleep(time.Minute)
			all = append(all, f.start("c")...)
			stopAll(all...)
		})
	}
}

// An entry that no message has room for, since its member was alone when it was written, is on
// that member alone; all others are on those that join.
func TestJoinBesideTooLarge(t *testing.T) {
	for _, n := range []int{0, 1} {
		inBubble(t, func(t *testing.T) {
			f := backups(t, n, nil)
			f.net = mem.NewNetwork(mem.Config{Seed: 1, MaxFrame: 64 << 10, Link: mem.Link{Delay: time.Millisecond}})
			a := f.start("a")[0]
			for i := range 100 {
				a.put(fmt.Sprint("k", i), "v")
			}
			a.put("large", strings.Repeat("v", 100<<10))
			b := f.start("b")[0]
			time.Sleep(10 * time.Second)
			for i := range 100 {
				if key := fmt.Sprint("k", i); b.get(key) != "v" {
					t.Errorf("%s is missing", key)
				}
			}
			if s := a.Stats(); s.LeftOut > 0 || s.Current != 1 {
				t.Errorf("%+v", s)
			}
			a.put("large", "v")
			if got := b.get("large"); got != "v" {
				t.Errorf("it is %d bytes", len(got))
			}
			stopAll(a, b)
		})
	}
}
