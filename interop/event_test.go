//go:build interop

package interop

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// event is one line that a node printed. The name says which fields are set: java/README.md lists them. Byte strings
// are lower case hex, members are host:port.
type event struct {
	Name string `json:"event"`
	Time int64  `json:"t"`  // ms since 1970, the node's clock
	Re   int    `json:"re"` // number of the command it belongs to, 0 if none

	// A member: started, memberAdded, memberDisappeared.
	Member     string `json:"member"`
	ID         string `json:"id"`
	Alive      int64  `json:"alive"`
	UDPPort    int    `json:"udpPort"`
	SecurePort int    `json:"securePort"`
	Domain     string `json:"domain"`
	Payload    string `json:"payload"`
	Command    string `json:"command"`
	Tomcat     string `json:"tomcat"`

	// A message or request that arrived: message, rpcRequest, rpcLeftOver.
	From      string `json:"from"`
	FromID    string `json:"fromId"`
	Kind      string `json:"kind"`
	Len       int    `json:"len"`
	SHA256    string `json:"sha256"`
	Head      string `json:"head"`
	UniqueID  string `json:"uniqueId"`
	Options   int    `json:"options"`
	Timestamp int64  `json:"timestamp"`
	Fail      bool   `json:"fail"`
	Value     string `json:"value"`

	// The outcome of a send: sent, sendFailed, asyncDone, asyncFailed, bulkFailed, bulkRetried, bulkDone, rpcReplies.
	To             []string `json:"to"`
	Micros         int64    `json:"micros"`
	Error          string   `json:"error"`
	Message        string   `json:"message"`
	Faulty         []string `json:"faulty"`
	FailedAttempts int      `json:"failedAttempts"`
	Index          int      `json:"index"`
	Sent           int      `json:"sent"`
	Failed         int      `json:"failed"`
	Retried        int      `json:"retried"`
	Replies        []string `json:"replies"`

	// Numbers and lists that were asked for: received, reached, stats, map, and the coordinators' views.
	Count       int      `json:"count"`
	Duplicates  int      `json:"duplicates"`
	Bytes       int64    `json:"bytes"`
	Digest      string   `json:"digest"`
	RX          int64    `json:"rx"`
	RXBytes     int64    `json:"rxBytes"`
	TX          int64    `json:"tx"`
	TXErr       int64    `json:"txErr"`
	Members     []string `json:"members"`
	Key         string   `json:"key"`
	Entries     []string `json:"entries"`
	MapMembers  []string `json:"mapMembers"`
	Type        string   `json:"type"`
	Coordinator string   `json:"coordinator"`
	View        []string `json:"view"`
}

// inbox holds the events of one node that no test has taken yet, oldest first. It is safe for concurrent use.
type inbox struct {
	mu      sync.Mutex
	events  []event
	changed chan struct{} // closed, and replaced, when something was added or the end was set
	end     error         // why there will be no more events
}

func newInbox() *inbox {
	return &inbox{changed: make(chan struct{})}
}

// add puts e behind the others and wakes those who wait.
func (b *inbox) add(e event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	b.wake()
}

// finish says that there will be no more events: waiting ends with why, once what is there has been looked at.
func (b *inbox) finish(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = why
	b.wake()
}

// wake needs mu.
func (b *inbox) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// take removes the oldest event that matches and returns it, waiting for it if need be.
func (b *inbox) take(ctx context.Context, match func(event) bool) (event, error) {
	for {
		e, changed, err := b.find(match)
		if changed == nil {
			return e, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return event{}, fmt.Errorf("%w; not taken: %s", context.Cause(ctx), b)
		}
	}
}

// find looks once: it returns the event, or the error that ended the inbox, or what to wait on.
func (b *inbox) find(match func(event) bool) (event, <-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range b.events {
		if match(e) {
			b.events = append(b.events[:i], b.events[i+1:]...)
			return e, nil, nil
		}
	}
	if b.end != nil {
		return event{}, nil, b.end
	}
	return event{}, b.changed, nil
}

// takeAll removes and returns every event that matches and has arrived.
func (b *inbox) takeAll(match func(event) bool) []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var taken, left []event
	for _, e := range b.events {
		if match(e) {
			taken = append(taken, e)
		} else {
			left = append(left, e)
		}
	}
	b.events = left
	return taken
}

// String names what is in the inbox.
func (b *inbox) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	names := make([]string, len(b.events))
	for i, e := range b.events {
		names[i] = e.Name
	}
	return "[" + strings.Join(names, " ") + "]"
}
