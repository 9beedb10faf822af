//go:build faults && linux

package faults

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// event is one line that a member printed; Ev says which fields are set.
type event struct {
	at time.Time // when it came

	Ev     string `json:"ev"`
	Member string `json:"member"`
	ID     string `json:"id"`
	PID    int    `json:"pid"`

	Shutdown *bool `json:"shutdown"` // of memberDisappeared

	From   string   `json:"from"`
	Stream string   `json:"stream"`
	Seq    uint64   `json:"seq"`
	Len    int      `json:"len"`
	What   string   `json:"what"`
	To     int      `json:"to"`
	Err    string   `json:"err"`
	Faulty []string `json:"faulty"`
	Cmd    string   `json:"cmd"`

	stats
}

// stats are the fields of a stats event.
type stats struct {
	QueueBytes      int64                  `json:"queueBytes"`
	Sent            uint64                 `json:"sent"`
	Acked           uint64                 `json:"acked"`
	Failed          uint64                 `json:"failed"`
	Odd             uint64                 `json:"odd"`
	Goroutines      int                    `json:"goroutines"`
	ReceiverAlive   bool                   `json:"receiverAlive"`
	MembershipAlive bool                   `json:"membershipAlive"`
	Members         []string               `json:"members"`
	Streams         map[string]streamStats `json:"streams"`
}

type streamStats struct {
	Distinct uint64 `json:"distinct"`
	Dup      uint64 `json:"dup"`
}

// joined and disappeared are matches of membership events.
func joined(id string) func(event) bool {
	return func(e event) bool { return e.Ev == "memberAdded" && e.ID == id }
}

func disappeared(id string) func(event) bool {
	return func(e event) bool { return e.Ev == "memberDisappeared" && e.ID == id }
}

// journal has everything that a member printed, in order. It is safe for
// concurrent use.
type journal struct {
	mu      sync.Mutex
	events  []event
	view    map[string]string // id to address: what the events come to
	changed chan struct{}     // closed, and replaced, when something was added
	end     error             // why nothing more will come
}

func newJournal() *journal {
	return &journal{view: make(map[string]string), changed: make(chan struct{})}
}

// add appends e. A member that comes twice, or goes without having come, is an
// error.
func (j *journal) add(e event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	j.wake()
	_, there := j.view[e.ID]
	switch e.Ev {
	case "started":
		clear(j.view)
	case "memberAdded":
		j.view[e.ID] = e.Member
		if there {
			return fmt.Errorf("%s was added twice", e.Member)
		}
	case "memberDisappeared":
		delete(j.view, e.ID)
		if !there {
			return fmt.Errorf("%s disappeared and was not there", e.Member)
		}
	}
	return nil
}

// finish says that nothing more will come.
func (j *journal) finish(why error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end = why
	j.wake()
}

// wake needs mu.
func (j *journal) wake() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// mark is a place in the journal: its end.
func (j *journal) mark() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.events)
}

// since returns the entries from mark on that match, or all for nil.
func (j *journal) since(mark int, match func(event) bool) []event {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []event
	for _, e := range j.events[mark:] {
		if match == nil || match(e) {
			found = append(found, e)
		}
	}
	return found
}

// wait returns the first entry from mark on that matches.
func (j *journal) wait(ctx context.Context, mark int, match func(event) bool) (event, error) {
	var found event
	err := j.until(ctx, func() bool {
		for ; mark < len(j.events); mark++ {
			if match(j.events[mark]) {
				found = j.events[mark]
				return true
			}
		}
		return false
	})
	return found, err
}

// waitView waits until the members seen are those of ids.
func (j *journal) waitView(ctx context.Context, ids []string) error {
	return j.until(ctx, func() bool {
		for _, id := range ids {
			if _, there := j.view[id]; !there {
				return false
			}
		}
		return len(j.view) == len(ids)
	})
}

// until waits for a condition, which is looked at with mu held.
func (j *journal) until(ctx context.Context, holds func() bool) error {
	for {
		j.mu.Lock()
		ok, changed, end := holds(), j.changed, j.end
		j.mu.Unlock()
		switch {
		case ok:
			return nil
		case end != nil:
			return end
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// seen returns the addresses of the members seen, sorted.
func (j *journal) seen() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]string, 0, len(j.view))
	for _, addr := range j.view {
		all = append(all, addr)
	}
	slices.Sort(all)
	return all
}
