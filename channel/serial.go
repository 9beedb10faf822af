package channel

import "sync"

// serial runs functions one after the other on one goroutine, in the order in
// which they were put. Putting never blocks. The zero serial is ready.
type serial struct {
	mu      sync.Mutex
	queue   []func()
	wake    chan struct{}
	closing bool
	over    bool // nothing that is put is run any more
	ended   chan struct{}
}

// run starts the goroutine; it ends after close.
func (s *serial) run() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake, s.ended = make(chan struct{}, 1), make(chan struct{})
	s.signal()
	go s.loop() // ends after close, which waits for it
}

// put returns false, and f is not run, if the goroutine has ended.
func (s *serial) put(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.queue = append(s.queue, f)
	s.signal()
	return true
}

// signal wakes the loop. It is called with mu held.
func (s *serial) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake, or not running yet
	}
}

// serialKeep is the length of a queue whose memory is used again.
const serialKeep = 4096

func (s *serial) loop() {
	defer close(s.ended)
	var batch []func()
	for range s.wake {
		var over bool
		if batch, over = s.take(batch); over {
			return
		}
		for _, f := range batch {
			f()
		}
	}
}

// take returns what was put, and gives the memory of what was done to the queue.
func (s *serial) take(done []func()) (batch []func(), over bool) {
	clear(done)
	if cap(done) > serialKeep {
		done = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.queue = s.queue, done[:0]
	if s.closing {
		s.over = len(batch) == 0
		s.signal() // to look once more
	}
	return batch, s.over
}

// close runs what was put so far, and by that, takes no more, and waits. It comes after
// run.
func (s *serial) close() {
	s.mu.Lock()
	s.closing = true
	s.signal()
	s.mu.Unlock()
	<-s.ended
}
