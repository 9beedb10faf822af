package interceptortest

import "sync"

// line runs functions one after the other on one goroutine.
type line struct {
	mu    sync.Mutex
	queue []func()
	wake  chan struct{}
	shut  bool
	ended chan struct{}
	ice   *ice
}

func newLine(i *ice) *line {
	l := &line{wake: make(chan struct{}, 1), ended: make(chan struct{}), ice: i}
	go l.loop() // ends after close, which waits for it
	return l
}

func (l *line) put(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return
	}
	l.queue = append(l.queue, f)
	l.signal()
}

// signal wakes the loop. It is called with mu held.
func (l *line) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

func (l *line) loop() {
	defer close(l.ended)
	for range l.wake {
		batch, last := l.take()
		for _, f := range batch {
			l.ice.wait()
			f()
		}
		if last {
			return
		}
	}
}

func (l *line) take() (batch []func(), last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, l.queue = l.queue, nil
	return batch, l.shut
}

// flush waits until what was put so far has run.
func (l *line) flush() {
	done := make(chan struct{})
	l.put(func() { close(done) })
	select {
	case <-done:
	case <-l.ended:
	}
}

func (l *line) close() {
	l.mu.Lock()
	l.shut = true
	l.signal()
	l.mu.Unlock()
	<-l.ended
}
