// Package testlog has a log for tests that can be read while it is written.
package testlog

import (
	"bytes"
	"sync"
)

// Log keeps what is written to it. The zero Log is empty. Its methods can be called from any
// number of goroutines.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer. It fails never.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was written since the last Take.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Take returns what was written since the last call, and forgets it.
func (l *Log) Take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

// Lines returns how many lines have text in them.
func (l *Log) Lines(text string) int {
	n := 0
	for line := range bytes.Lines([]byte(l.String())) {
		if bytes.Contains(line, []byte(text)) {
			n++
		}
	}
	return n
}
