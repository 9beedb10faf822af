package replmap

import (
	"testing"
	"time"
)

// When a key is looked at does not depend on the time of day, which may be set back.
func TestLookIsNotByTheTimeOfDay(t *testing.T) {
	n := &native{replica: &replica{settings: settings{budget: 500 * time.Millisecond}}}
	now := time.Now()
	at := n.after(time.Second)
	if at == at.Round(0) {
		t.Errorf("%v is a time of day", at)
	}
	if wait := at.Sub(now); wait < time.Second || wait > 2*time.Second {
		t.Errorf("it is looked at after %v, want 1 s or a bit more", wait)
	}
	if step := n.budget / 4; at.UnixNano()%int64(step) != 0 {
		t.Errorf("%v is no multiple of %v", at, step)
	}
}
