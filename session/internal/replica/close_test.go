package replica

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/internal/table"
	"github.com/gotribes/tribes/transport/mem"
)

// A write that goes on while its node closes is reported as done when all others have it, and
// not before.
func TestWriteWhileClosing(t *testing.T) {
	inRig(t, func(r *rig) {
		r.net.SetLinks(mem.Link{Delay: time.Millisecond})
		others := map[string]*node{"b": r.start("b", nil), "c": r.start("c", nil)}
		for round := range 40 {
			a := r.start(fmt.Sprint("a", round), nil)
			id := fmt.Sprint("id", round)
			h := a.create(id)
			lost := make(chan error, 1)
			written := ""
			go func() {
				for i := 0; ; i++ {
					value := fmt.Sprint(i)
					if err := a.set(h, "k", value); err != nil {
						lost <- err
						return
					}
					written = value
				}
			}()
			time.Sleep(20*time.Millisecond + time.Duration(round)*50*time.Microsecond)
			a.Close()
			if err := <-lost; !errors.Is(err, table.ErrClosed) {
				t.Errorf("error %v, want that it is closed", err)
			}
			for name, n := range others {
				// What was not reported as done may be there too.
				if got := n.get(id, "k"); got != written && got != next(written) {
					t.Errorf("%s has %q, written was %q", name, got, written)
				}
			}
		}
	})
}

func next(value string) string {
	var i int
	fmt.Sscan(value, &i)
	return fmt.Sprint(i + 1)
}

// Nor does a node wait without end for a peer that answers nothing.
func TestCloseBesideTheMute(t *testing.T) {
	inRig(t, func(r *rig) {
		a := r.start("a", nil)
		r.start("b", nil)
		h := a.create("id")
		r.net.Pause("b")
		done := make(chan error, 1)
		go func() { done <- a.set(h, "k", "w") }()
		time.Sleep(10 * time.Millisecond)
		begun := time.Now()
		a.Close()
		r.net.Resume("b")
		if took := time.Since(begun); took > 3*a.cfg.Budget {
			t.Errorf("to close took %v", took)
		}
		<-done
	})
}
