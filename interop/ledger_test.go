//go:build interop

package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// parcel is what a message is recognised by: short messages may be alike.
type parcel struct{ fromID, sha256 string }

// ledger knows who sent what, and what was acknowledged by whom.
type ledger struct {
	all     map[parcel]int            // how many such messages were sent
	acked   map[string]map[parcel]int // by address of the receiver
	repeats map[parcel]bool           // their sender says that it wrote them more than once

	messages, promises, failed, repeated int
}

func newLedger() *ledger {
	return &ledger{all: make(map[parcel]int), acked: make(map[string]map[parcel]int), repeats: make(map[parcel]bool)}
}

func (l *ledger) String() string {
	return fmt.Sprintf("%d messages, acknowledged %d times; %d failed at somebody, %d were written more than once",
		l.messages, l.promises, l.failed, l.repeated)
}

// sent enters that a node begins to send b.
func (l *ledger) sent(fromID string, b bulkSend) {
	for i := range b.Count {
		l.all[parcel{fromID, b.Series.hash(i)}]++
	}
	l.messages += b.Count
}

// settled enters the outcomes of b.
func (l *ledger) settled(fromID string, b bulkSend, r bulkResult) {
	l.failed += len(r.Failures)
	l.repeated += len(r.Retries)
	for i := range b.Count {
		p := parcel{fromID, b.Series.hash(i)}
		failure, failed := r.Failures[i]
		if r.Retries[i].FailedAttempts > 0 || failure.FailedAttempts > 0 {
			l.repeats[p] = true
		}
		if b.Options&optAck == 0 || failed && len(failure.Faulty) == 0 {
			continue // nobody has promised anything
		}
		for _, addr := range r.To {
			if !slices.ContainsFunc(failure.Faulty, func(f string) bool { return strings.HasPrefix(f, addr+" ") }) {
				l.ack(addr, p)
			}
		}
	}
}

func (l *ledger) ack(addr string, p parcel) {
	if l.acked[addr] == nil {
		l.acked[addr] = make(map[parcel]int)
	}
	l.acked[addr][p]++
	l.promises++
}

// compare says in words what is wrong with the messages that the node at addr has received.
func (l *ledger) compare(addr string, got []record) []string {
	var wrong []string
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	arrived := make(map[parcel]int)
	for _, r := range got {
		p := parcel{r.fromID, r.sha256}
		switch {
		case r.repeat && !l.repeats[p]:
			note("%s: %d bytes with hash %s of %s came twice as message %s", addr, r.length, r.sha256, r.fromID, r.uniqueID)
		case r.repeat:
		case arrived[p] == l.all[p]:
			note("%s: %d bytes with hash %s of %s came, which it did not send, or not as often", addr, r.length, r.sha256, r.fromID)
		default:
			arrived[p]++
		}
	}
	for p, n := range l.acked[addr] {
		if arrived[p] < n {
			note("%s: has acknowledged hash %s of %s %d times and received it %d times", addr, p.sha256, p.fromID, n, arrived[p])
		}
	}
	return wrong
}

// TestLedger shows that the ledger notices what it must notice. It needs no Java.
func TestLedger(t *testing.T) {
	const sender, stayed, other = "aa", "127.0.0.1:1", "127.0.0.1:2"
	b := bulkSend{Options: optSync, Series: series{3, 100}, Count: 4}
	come := func(indexes ...int) []record {
		var all []record
		for _, i := range indexes {
			all = append(all, record{fromID: sender, uniqueID: fmt.Sprint(i), sha256: b.Series.hash(i)})
		}
		return all
	}
	again := func(i int) []record {
		r := come(i)
		r[0].repeat = true
		return r
	}
	failedAt := func(addrs ...string) event { return event{Faulty: addrs} }
	tests := []struct {
		name    string
		options int
		result  bulkResult
		got     []record
		want    string // part of the only complaint; empty for none
	}{
		{"all there", optSync, bulkResult{}, come(0, 1, 2, 3), ""},
		{"one missing", optSync, bulkResult{}, come(0, 1, 3), "received it 0 times"},
		{"one missing that nobody promised", 0, bulkResult{}, come(0, 1, 3), ""},
		{"one missing that failed here", optSync, bulkResult{Failures: map[int]event{2: failedAt(stayed + " gone")}}, come(0, 1, 3), ""},
		{"one missing that failed elsewhere", optSync, bulkResult{Failures: map[int]event{2: failedAt(other + " gone")}}, come(0, 1, 3), "received it 0 times"},
		{"one missing of which nobody knows where it failed", optSync, bulkResult{Failures: map[int]event{2: failedAt()}}, come(0, 1, 3), ""},
		{"one twice", optSync, bulkResult{}, append(come(0, 1, 2, 3), again(2)...), "came twice"},
		{"one twice that was written twice", optSync, bulkResult{Retries: map[int]event{2: {FailedAttempts: 1}}}, append(come(0, 1, 2, 3), again(2)...), ""},
		{"one twice under another id", optSync, bulkResult{}, come(0, 1, 2, 3, 3), "did not send, or not as often"},
		{"a strange one", optSync, bulkResult{}, append(come(0, 1, 2, 3), record{fromID: sender, sha256: "ab"}), "did not send, or not as often"},
		{"one of a strange sender", optSync, bulkResult{}, append(come(0, 1, 2, 3), record{fromID: "bb", sha256: b.Series.hash(1)}), "did not send, or not as often"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, b := newLedger(), b
			b.Options = test.options
			test.result.To = []string{stayed, other}
			l.sent(sender, b)
			l.settled(sender, b, test.result)
			got := l.compare(stayed, test.got)
			if test.want == "" && len(got) != 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("compare = %q, want one with %q", got, test.want)
			}
		})
	}
}
