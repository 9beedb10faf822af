package proctest

import (
	"os"
	"syscall"
	"testing"
)

// A process that is stopped does nothing until it goes on, which the end of the test sees to.
func TestStop(t *testing.T) {
	p := Start(t, []string{"PROCTEST=1"}, os.Args[0])
	p.Err.Line("wrong")
	if p.stopped() {
		t.Error("stopped before")
	}
	p.Stop()
	p.Signal(syscall.SIGTERM)
	if !p.stopped() {
		t.Error("not stopped")
	}
	p.Signal(syscall.SIGCONT)
	p.Ended()
	left := Start(t, []string{"PROCTEST=1"}, os.Args[0])
	left.Err.Line("wrong")
	left.Stop()
}
