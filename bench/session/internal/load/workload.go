package load

import (
	"fmt"
	"strings"
)

// kind is what the requests of a workload do.
type kind int

const (
	newSession kind = iota // each request makes a session
	write                  // one of 100 attributes
	mixed                  // 95 % reads
	patch                  // some bytes of a large value
	shared                 // all connections use one session, each an attribute of its own
	increment              // the same, with one counter
)

// Workload is what the connections do. The zero value is of no use: see Workloads.
type Workload struct {
	Name string
	Text string // one line for people
	// Conns is how many connections send requests.
	Conns int
	// Spread sends the requests of a session to all nodes in turn. Nodes should not bind
	// the session to themselves then.
	Spread bool

	kind        kind
	count, size int // the session: so many attributes of so many bytes
}

const kilobyte = 1000 // as in the article; the attributes of a session make 100 KB

// Workloads are all that have a name.
func Workloads() []Workload {
	return []Workload{
		{"new-lite", "a new session of 100 x 1 KB per request", 2, false, newSession, 100, kilobyte},
		{"new-large", "a new session of 1 x 100 KB per request", 2, false, newSession, 1, 100 * kilobyte},
		{"write", "one of 100 attributes of 1 KB is written", 64, false, write, 100, kilobyte},
		{"write-2", "the same with 2 connections", 2, false, write, 100, kilobyte},
		{"write-spread", "the same, requests to all nodes in turn", 64, true, write, 100, kilobyte},
		{"read95", "95 % reads, 5 % writes of one of 100 attributes", 64, false, mixed, 100, kilobyte},
		{"patch", "8 bytes change in a value of 100 KB, sent as a body", 8, false, patch, 1, 100 * kilobyte},
		{"shared", "16 writers of one session on one node", 16, false, shared, 16, kilobyte},
		{"shared-spread", "16 writers of one session on all nodes in turn", 16, true, shared, 16, kilobyte},
		{"incr", "16 incrementers of one counter on one node", 16, false, increment, 1, 16},
		{"incr-spread", "16 incrementers of one counter on all nodes in turn", 16, true, increment, 1, 16},
	}
}

// Choose returns the workloads of the names in list, which commas separate.
func Choose(list string) ([]Workload, error) {
	var chosen []Workload
	for name := range strings.SplitSeq(list, ",") {
		n := len(chosen)
		for _, w := range Workloads() {
			if w.Name == name {
				chosen = append(chosen, w)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("no workload %q", name)
		}
	}
	return chosen, nil
}

// common tells whether all connections use one session.
func (w Workload) common() bool { return w.kind == shared || w.kind == increment }
