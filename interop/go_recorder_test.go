//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gotribes/tribes/message"
)

// errOrdered is what the listener of a member answers when a test has told it to fail.
var errOrdered = errors.New("told to fail")

// recorder is a listener that takes every message and keeps a record of it. It is safe for concurrent use.
type recorder struct {
	mu       sync.Mutex
	records  []record
	seen     map[[2]string]bool // sender's id and message id
	failNext int
	changed  chan struct{} // closed, and replaced, with each record
}

func newRecorder() *recorder {
	return &recorder{seen: make(map[[2]string]bool), changed: make(chan struct{})}
}

// Accept implements channel.Listener.
func (r *recorder) Accept(*message.Message) bool { return true }

// Receive implements channel.Listener.
func (r *recorder) Receive(_ context.Context, m *message.Message) error {
	n := record{
		fromID:   m.Source.ID().String(),
		uniqueID: fmt.Sprintf("%x", m.WireID()),
		sha256:   hashOf(m.Payload()),
		length:   m.Len(),
		options:  m.Options,
	}
	key := [2]string{n.fromID, n.uniqueID}
	r.mu.Lock()
	defer r.mu.Unlock()
	n.repeat = r.seen[key]
	r.seen[key] = true
	r.records = append(r.records, n)
	close(r.changed)
	r.changed = make(chan struct{})
	if r.failNext > 0 {
		r.failNext--
		return errOrdered
	}
	return nil
}

// fail makes the listener fail for the next n messages, after it has recorded them.
func (r *recorder) fail(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failNext = n
}

// forget drops all records.
func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = nil
	clear(r.seen)
}

// from returns what came from a sender's id, or from "all", in order of arrival.
func (r *recorder) from(id string) []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.records), func(n record) bool { return id != "all" && n.fromID != id })
}

// await waits until there are records of count different messages.
func (r *recorder) await(ctx context.Context, count int) error {
	for {
		r.mu.Lock()
		n, changed := len(r.seen), r.changed
		r.mu.Unlock()
		if n >= count {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w; %d of %d messages arrived", context.Cause(ctx), n, count)
		}
	}
}
