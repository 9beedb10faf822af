package replica

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// A member that takes what it is told and never says what it is does not hold up a start
// for ever.
func TestMuteMember(t *testing.T) {
	inRig(t, func(r *rig) {
		x := r.rogue("x")
		n := r.boot("a", nil)
		begun := time.Now()
		must(t, n.Start(context.Background()))
		if took := time.Since(begun); took < time.Second || took > 15*time.Second {
			t.Errorf("ready after %v", took)
		}
		if len(x.kinds(sessionwire.KindHello)) == 0 || n.Stats().Peers != 0 {
			t.Errorf("%d greetings, %+v", len(x.kinds(sessionwire.KindHello)), n.Stats())
		}
	})
}

// A member that was met when it had gone already, so that nobody says that it has, does not
// hold up a start for ever, nor is it greeted for ever.
func TestMemberThatIsGone(t *testing.T) {
	inRig(t, func(r *rig) {
		n := begin(t, r.boot("a", nil))
		n.peers.Meet(phantom(t, 'g'))
		must(t, n.met(phantom(t, 'h'), hello(sessionwire.Loading)))
		begun := time.Now()
		must(t, n.Start(context.Background()))
		if took := time.Since(begun); took > 45*time.Second {
			t.Errorf("ready after %v", took)
		}
		if s := n.Stats(); s.Peers != 0 || s.Incomplete != 0 || n.peers.Awaited() {
			t.Errorf("%+v, awaited %v", s, n.peers.Awaited())
		}
	})
}

// A node that becomes ready just while it greets a member that did not answer before tells
// it so.
func TestReadyWhileAMemberComesBack(t *testing.T) {
	inRig(t, func(r *rig) {
		x := r.rogue("x")
		n := r.boot("a", func(c *Config) { c.StateTimeout, c.Serve = 10*time.Second, true })
		begun, answers := time.Now(), sync.WaitGroup{}
		x.does(func(m sessionwire.Message) error { // it gives nothing, so that it is left out
			if m.Kind() == sessionwire.KindHello && time.Since(begun) > 8*time.Second {
				for !n.Ready() {
					time.Sleep(time.Millisecond)
				}
			}
			if q, ok := m.(*sessionwire.Buckets); ok && !q.Answer {
				answers.Go(func() {
					// It fails when the node is closed at the end of the test.
					_ = x.send(n, &sessionwire.Buckets{Request: q.Request, Answer: true, Sessions: q.Sessions, Sums: q.Sums})
				})
			}
			return nil
		})
		x.meet(begin(t, n), sessionwire.Ready)
		time.Sleep(time.Minute)
		said := x.kinds(sessionwire.KindHello)
		x.does(nil)
		synctest.Wait() // it begins no further answer
		answers.Wait()
		if last := said[len(said)-1].(*sessionwire.Hello); !n.Ready() || last.State != sessionwire.Ready {
			t.Errorf("ready %v; the last of %d greetings says %v", n.Ready(), len(said), last.State)
		}
	})
}
