package replmap

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// A write that goes on while its member leaves is reported as done when all others have it, and
// not before.
func TestWriteWhileClosing(t *testing.T) {
	for _, n := range []int{0, 1} {
		t.Run(fmt.Sprint(n, " backups"), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				all := backups(t, n, nil).start("a", "b", "c")
				a, b := all[0], all[1]
				for round := range 20 {
					lost := make(chan error, 1)
					done := make(map[string]bool)
					go func() {
						for i := 0; ; i++ {
							key := fmt.Sprint("k", round, ".", i)
							if err := a.Put(context.Background(), key, "v"); err != nil {
								lost <- err
								return
							}
							done[key] = true
						}
					}()
					time.Sleep(20*time.Millisecond + time.Duration(round)*100*time.Microsecond)
					a.stop()
					if err := <-lost; !errors.Is(err, ErrClosed) {
						t.Errorf("error %v, want that the map is closed", err)
					}
					for key := range done {
						for _, n := range all[1:] {
							if !n.Has(key) {
								t.Errorf("%s was written, and %s has it not", key, n.name)
							}
						}
					}
					a = b.f.start("a")[0]
				}
				stopAll(a, b, all[2])
			})
		})
	}
}

// A member that says goodbye is no member of the map any more, also to one that has too many
// questions of others to answer at that moment: its keys have another primary at once.
func TestGoodbyeIsHeardByTheBusy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := newFarm(t, func(c *Config[string, string]) { c.Repair = time.Minute }).start("a", "b")
		a, b := all[0], all[1]
		key := absentKeys(a, 1)[0]
		time.Sleep(10 * time.Second) // nobody compares
		n := b.rep.(*native)
		for range maxBusy {
			n.busy <- struct{}{}
		}
		must(t, a.Close(t.Context()))
		for range maxBusy {
			<-n.busy
		}
		begun := time.Now()
		_, put, err := b.PutIfAbsent(t.Context(), key, "v")
		if err != nil || !put {
			t.Errorf("put %v, %v", put, err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
		stopAll(all...)
	})
}

// A member whose goodbye is not heard is no member of the map any more for who asks it to
// decide, nor for who looks whether it is back.
func TestGoodbyeIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := newFarm(t, func(c *Config[string, string]) { c.Repair = time.Minute }).start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		key := absentKeys(a, 1)[0]
		time.Sleep(10 * time.Second) // nobody compares
		for _, n := range all[1:] {
			a.rep.(*native).peers.Drop(n.g.Local().ID()) // it says goodbye to nobody
		}
		must(t, a.Close(t.Context()))
		begun := time.Now()
		_, put, err := b.PutIfAbsent(t.Context(), key, "v")
		if err != nil || !put {
			t.Errorf("put %v, %v", put, err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
		c.put("other", "v")
		time.Sleep(5 * time.Second)
		for _, n := range all[1:] {
			if s := n.Stats(); s.Members != 1 {
				t.Errorf("%s: %d members", n.name, s.Members)
			}
		}
		stopAll(all...)
	})
}

// A primary that leaves while it decides about an entry that it does not know says so at once:
// who has asked asks another one, and it has left soon.
func TestAbsentWhileClosing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := newFarm(t, nil).start("a", "b")
		a, b := all[0], all[1]
		key := absentKeys(a, 1)[0]
		time.Sleep(10 * time.Second)
		end, err := a.r.writing.take(t.Context(), key) // another write of the key goes on
		must(t, err)
		swapped := make(chan error, 1)
		go func() {
			_, err := b.CompareAndSwap(t.Context(), key, "old", "new")
			swapped <- err
		}()
		time.Sleep(10 * time.Millisecond)
		time.AfterFunc(10*time.Millisecond, end)
		begun := time.Now()
		must(t, a.Close(t.Context()))
		if took := time.Since(begun); took > 200*time.Millisecond {
			t.Errorf("to leave took %v", took)
		}
		must(t, <-swapped)
		stopAll(all...)
	})
}
