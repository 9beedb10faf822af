package replica

import (
	"context"
	"testing"
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
