package proc

import "testing"

func TestCPU(t *testing.T) {
	p, _ := start(t, "echo; exec cat /dev/zero >/dev/null")
	for p.CPU() == 0 { // it uses some before long
	}
	p.Kill()
	if n := p.CPU(); n != 0 {
		t.Errorf("%v of a process that is gone", n)
	}
}
