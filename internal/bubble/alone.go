package bubble

import (
	"runtime"
	"sync"
)

var processors struct {
	mu      sync.Mutex
	bubbles int // that run
	before  int // what GOMAXPROCS was without them
}

// alone takes all processors but one until its result is called; tests may overlap.
func alone() func() {
	p := &processors
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bubbles == 0 {
		p.before = runtime.GOMAXPROCS(1)
	}
	p.bubbles++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.bubbles--; p.bubbles == 0 {
			runtime.GOMAXPROCS(p.before)
		}
	}
}
